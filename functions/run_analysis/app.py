"""Judge the windows of a version that came in since the last look."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.payloads import AnalysisInput, AnalysisResult
from candlefish.release.run_analysis import run_analysis

use = partial(
    run_analysis,
    catalog=wire.catalog(),
    records=wire.records(),
    sources=wire.sources(),
    judgements=wire.judgements(),
    journal=wire.journal(),
    now=wire.now,
    failed=wire.tell_failure,
    looks=wire.looks(),
    meter=wire.meter(),
    calibrations=wire.calibrations(),
)


@look
def lambda_handler(event: AnalysisInput) -> AnalysisResult:
    return use(event)
