"""Scale down a slot once nothing reaches it."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.retire import RetireInput, Retirement, retire

use = partial(
    retire,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    sources=wire.sources(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: RetireInput) -> Retirement:
    return use(event)
