"""Every day: forecast the month, compare it with the target, act."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import cost as wire
from candlefish.cost.watch import Watched, watch_cost
from candlefish.handler import handler, logger


@handler
def lambda_handler(event: Any) -> Watched:
    seen = watch_cost(
        wire.environment(),
        catalog=wire.catalog(),
        source=wire.source(),
        bills=wire.bills(),
        capacity=wire.store(),
        events=wire.events(),
        now=wire.now,
    )
    logger.info("%s: %s", seen.decision.action, seen.decision.reason)
    return seen
