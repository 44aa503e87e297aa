"""One move of a failover: look, decide, write down the intention, act."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import recovery as wire
from candlefish.failover.advance import Advanced, advance
from candlefish.handler import handler, parse


class Step(msgspec.Struct):
    """Which failover to move."""

    target: str
    epoch: int


@handler
def lambda_handler(event: Any) -> Advanced:
    step = parse(event, Step)
    return advance(
        step.target,
        step.epoch,
        environment=wire.declared(),
        runs_store=wire.runs(),
        stage=wire.stage(),
        pace=wire.pace(),
        now=wire.now,
    )
