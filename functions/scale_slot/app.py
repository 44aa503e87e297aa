"""Give a slot the capacity for its next weight."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.steps import StepInput, scale

use = partial(
    scale,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> int:
    return use(event)
