"""Judge a promoted version until its rollback window closes."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import AnalysisResult, WatchInput
from candlefish.release.watch_window import watch_window

use = partial(
    watch_window,
    catalog=wire.catalog(),
    records=wire.records(),
    sources=wire.sources(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: WatchInput) -> AnalysisResult:
    return use(event)
