"""Ask a candidate for its smoke paths at weight 0."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.payloads import SmokeResult, StepInput
from candlefish.release.smoke_test import smoke_test

use = partial(
    smoke_test,
    catalog=wire.catalog(),
    records=wire.records(),
    rules=wire.rules(),
    web=wire.web(),
    journal=wire.journal(),
    now=wire.now,
)


@look
def lambda_handler(event: StepInput) -> SmokeResult:
    return use(event)
