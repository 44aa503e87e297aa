"""Apply a version's objects to its slot."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.deploy_slot import deploy_slot
from candlefish.release.payloads import StepInput

use = partial(
    deploy_slot,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    rules=wire.movers(),
    writers_live=wire.settings.writers_live_seconds,
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> None:
    return use(event)
