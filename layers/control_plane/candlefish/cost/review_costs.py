"""Every day: read the bill, forecast the month, compare with the target, act. Every month: report the last one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal, assert_never

import msgspec

from candlefish.capacity.model import ScheduleOverride
from candlefish.capacity.ports import CapacityStore
from candlefish.capacity.record import sleep_for_costs
from candlefish.catalog.model import Catalog, Environment
from candlefish.cost.model import Bill, CostOutlook, CostReport
from candlefish.cost.news import outlook_events, report_event
from candlefish.cost.outlook import outlook
from candlefish.cost.ports import BillSource, BillStore
from candlefish.cost.report import report_of
from candlefish.cost.savings import day_bounds
from candlefish.measures import Measure
from candlefish.ports import EventPublisher, Meter, Now

# A bill is asked for again after this long, in seconds; the schedule is daily.
FRESH_FOR = 20 * 3600.0
# Two whole months before the current one.
BACK = timedelta(days=62)


class CostReview(msgspec.Struct, frozen=True):
    """What the schedule asks for: a look at the month that runs, or a report of the one that ended."""

    task: Literal["watch", "report"]


def review_costs(
    review: CostReview,
    *,
    environment: str,
    catalog: Catalog,
    source: BillSource,
    bills: BillStore,
    capacity: CapacityStore,
    events: EventPublisher,
    meter: Meter,
    now: Now,
) -> CostOutlook | CostReport:
    """Look at the costs, or report them.

    A look tells people, and puts an environment to sleep that costs far too much. Sleep comes as an
    override like anybody else's, once a month: a newer `wake` or any `keep-awake` wins over it.
    """
    at = now()
    env, record = catalog.environment(environment), capacity.get()
    bill = bill_of_today(source, bills, at)
    match review.task:
        case "watch":
            seen = outlook(bill, env, catalog, record, at)
            if seen.decision.action == "sleep":
                _send_to_sleep(seen, capacity, at)
            for kind, detail in outlook_events(environment, seen, at):
                events.publish(kind, detail)
            meter.measure(cost_measures(seen, env))
            return seen
        case "report":
            report = report_of(bill, env, catalog, record, at)
            events.publish(*report_event(report, at))
            return report
        case _:
            assert_never(review.task)


def cost_measures(seen: CostOutlook, environment: Environment) -> list[Measure]:
    """What a look counts for: the forecast, and the target where there is one (pure)."""
    found = [Measure("CostForecast", seen.forecast.total)]
    return [*found, Measure("CostTarget", float(environment.cost.high))] if environment.cost else found


def bill_of_today(source: BillSource, store: BillStore, now: float) -> Bill:
    """The bill, from the store while it is fresh."""
    kept = store.read()
    if kept and now - kept.fetched_at < FRESH_FOR:
        return kept
    today = datetime.fromtimestamp(now, UTC).date()
    bill = source.daily((today - BACK).replace(day=1), today, now)
    store.keep(bill)
    return bill


def _send_to_sleep(seen: CostOutlook, capacity: CapacityStore, at: float) -> None:
    month = seen.forecast.month
    end = day_bounds((date.fromisoformat(f"{month}-01") + timedelta(days=32)).replace(day=1))[0]
    override = ScheduleOverride("sleep", at, end, "cost guard", seen.decision.reason)
    capacity.update(lambda r: sleep_for_costs(r, override, month=month, now=at))
