"""Shift the weights of a listener rule."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import StepInput
from candlefish.release.shift_weights import shift_weights
from candlefish.service.model import Weights

use = partial(
    shift_weights,
    records=wire.records(),
    rules=wire.movers(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> Weights:
    return use(event)
