"""Every month: what the last one cost, and what sleeping saved."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import cost as wire
from candlefish.cost.report import Report, report_cost
from candlefish.handler import handler


@handler
def lambda_handler(event: Any) -> Report:
    return report_cost(
        wire.environment(),
        catalog=wire.catalog(),
        source=wire.source(),
        bills=wire.bills(),
        capacity=wire.store(),
        events=wire.events(),
        now=wire.now,
    )
