"""Judge a promoted version until its rollback window closes."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.payloads import AnalysisResult, WatchContext
from candlefish.release.watch_window import watch_window

use = partial(
    watch_window,
    catalog=wire.catalog(),
    records=wire.records(),
    sources=wire.sources(),
    judgements=wire.judgements(),
    journal=wire.journal(),
    now=wire.now,
    failed=wire.tell_failure,
    looks=wire.looks(),
    meter=wire.meter(),
)


@look
def lambda_handler(event: WatchContext) -> AnalysisResult:
    return use(event)
