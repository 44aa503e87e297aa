"""Every day: forecast the month, compare it with the target, act."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import cost as wire
from candlefish.cost.watch import CostOutlook, watch_cost
from candlefish.handler import Nothing, handler

use = partial(
    watch_cost,
    environment=wire.environment(),
    catalog=wire.catalog(),
    source=wire.source(),
    bills=wire.bills(),
    capacity=wire.store(),
    events=wire.events(),
    now=wire.now,
)


@handler
def lambda_handler(event: Nothing) -> CostOutlook:
    return use()
