"""Look whether a slot can take the traffic that it is about to get."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.check_ready import check_ready
from candlefish.release.payloads import Readiness, StepInput

use = partial(
    check_ready,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    rules=wire.movers(),
    cluster_writers_live=wire.settings.cluster_writers_live_seconds,
    journal=wire.journal(),
    now=wire.now,
)


@look
def lambda_handler(event: StepInput) -> Readiness:
    return use(event)
