"""Say which step of a release comes next, and whether it may."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import look
from candlefish.release.next_step import next_step
from candlefish.release.payloads import Instruction, NextStepInput

use = partial(
    next_step,
    catalog=wire.catalog(),
    records=wire.records(),
    freezes=wire.asked_freezes(),
    journal=wire.journal(),
    now=wire.now,
)


@look
def lambda_handler(event: NextStepInput) -> Instruction:
    return use(event)
