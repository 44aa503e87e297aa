"""Shift the weights of a listener rule."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.steps import StepInput, shift_weight
from candlefish.service.model import Weights

use = partial(
    shift_weight,
    records=wire.records(),
    rules=wire.rules(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> Weights:
    return use(event)
