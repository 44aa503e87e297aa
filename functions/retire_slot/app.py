"""Scale down a slot once nothing reaches it."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.payloads import RetireInput, Retirement
from candlefish.release.retire_slot import retire_slot

use = partial(
    retire_slot,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    rules=wire.movers(),
    sources=wire.sources(),
    cluster_writers_live=wire.settings.cluster_writers_live_seconds,
    journal=wire.journal(),
    now=wire.now,
)


@look
def lambda_handler(event: RetireInput) -> Retirement:
    return use(event)
