"""Judge a promoted version until its rollback window closes."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.observe import Look, WatchInput, watch

use = partial(
    watch,
    catalog=wire.catalog(),
    records=wire.records(),
    sources=wire.sources(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: WatchInput) -> Look:
    return use(event)
