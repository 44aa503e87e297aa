"""Let a release's image through the environment's gates, or refuse it and say why."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.begin import named
from candlefish.release.gates import gate
from candlefish.release.payloads import ReleaseStart

use = partial(
    gate,
    environment=wire.environment(),
    catalog=wire.catalog(),
    registry=wire.registry(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: ReleaseStart) -> list[str]:
    return use(event.request, release=named(event.release), execution=event.execution)
