"""Every day: forecast the month, compare it with the target, act. Every month: what the last one cost."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import cost as wire
from candlefish.cost.model import CostOutlook, CostReport
from candlefish.cost.review_costs import CostReview, review_costs
from candlefish.handler import handler

use = partial(
    review_costs,
    environment=wire.environment(),
    catalog=wire.catalog(),
    source=wire.source(),
    bills=wire.bills(),
    capacity=wire.store(),
    events=wire.events(),
    meter=wire.meter(),
    now=wire.now,
)


@handler
def lambda_handler(event: CostReview) -> CostOutlook | CostReport:
    return use(event)
