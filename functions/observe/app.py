"""Judge the windows of a version that came in since the last look."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.observe import Look, ObserveInput, observe

use = partial(
    observe,
    catalog=wire.catalog(),
    records=wire.records(),
    sources=wire.sources(),
    journal=wire.journal(),
    now=wire.now,
    calibrations=wire.calibrations(),
)


@handler
def lambda_handler(event: ObserveInput) -> Look:
    return use(event)
