"""Give a slot the capacity for its next weight."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import StepInput
from candlefish.release.scale_slot import scale_slot

use = partial(
    scale_slot,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> int:
    return use(event)
