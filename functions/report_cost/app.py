"""Every month: what the last one cost, and what sleeping saved."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import cost as wire
from candlefish.cost.report import CostReport, report_cost
from candlefish.handler import Nothing, handler

use = partial(
    report_cost,
    environment=wire.environment(),
    catalog=wire.catalog(),
    source=wire.source(),
    bills=wire.bills(),
    capacity=wire.store(),
    events=wire.events(),
    now=wire.now,
)


@handler
def lambda_handler(event: Nothing) -> CostReport:
    return use()
