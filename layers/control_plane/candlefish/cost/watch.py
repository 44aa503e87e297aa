"""Every day: read the bill, forecast the month, compare with the target, act. And the monthly report."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

import msgspec

from candlefish.capacity.calendar import ScheduleOverride, Timetable, timetable
from candlefish.capacity.model import CapacityRecord
from candlefish.capacity.never_production import is_production
from candlefish.capacity.ports import CapacityStore
from candlefish.capacity.record import add_override
from candlefish.catalog.model import Catalog, Environment
from candlefish.cost.decide import decide_cost
from candlefish.cost.forecast import Hours, forecast
from candlefish.cost.model import Bill, CostDecision, Forecast, Savings
from candlefish.cost.ports import BillSource, BillStore
from candlefish.cost.savings import awake_hours, day_bounds, naps_of, savings, scheduled_hours
from candlefish.ports import EventPublisher, Now

# A bill is asked for again after this long, in seconds; the schedule is daily.
FRESH_FOR = 20 * 3600.0
# Two whole months before the current one.
BACK = timedelta(days=62)
TITLES = {
    "warn": ("Look at the costs of {}", "warning"),
    "propose": ("{} will cost more than its target", "warning"),
    "sleep": ("{} costs too much: it sleeps until the month ends", "bad"),
}


class CostOutlook(msgspec.Struct, frozen=True):
    """A day's look at the costs."""

    forecast: Forecast
    decision: CostDecision
    savings: Savings


def bill_of_today(source: BillSource, store: BillStore, now: float) -> Bill:
    """The bill, from the store while it is fresh."""
    kept = store.read()
    if kept and now - kept.fetched_at < FRESH_FOR:
        return kept
    today = datetime.fromtimestamp(now, UTC).date()
    bill = source.daily((today - BACK).replace(day=1), today, now)
    store.keep(bill)
    return bill


def outlook(
    bill: Bill, environment: Environment, catalog: Catalog, record: CapacityRecord, now: float
) -> CostOutlook:
    """Forecast, decision and savings of one environment: pure, from the bill and what is remembered."""
    hours_left, month = 24.0 * 31, f"{datetime.fromtimestamp(now, UTC):%Y-%m}"
    if environment.production or is_production(environment.name):
        expected = forecast(bill, environment.name, lambda day: 24.0, now)
    else:
        table = timetable(environment, catalog.calendars)
        hours_left = scheduled_hours(table, record.overrides, now)
        expected = forecast(bill, environment.name, _hours(table, record, now), now)
    first = date.fromisoformat(f"{month}-01")
    return CostOutlook(
        expected,
        decide_cost(expected, environment, scheduled_hours=hours_left, guarded=record.guarded),
        savings(naps_of(record, now), expected.rates, day_bounds(first)[0], now),
    )


def watch_cost(
    environment: str,
    *,
    catalog: Catalog,
    source: BillSource,
    bills: BillStore,
    capacity: CapacityStore,
    events: EventPublisher,
    now: Now,
) -> CostOutlook:
    """Look at the costs, tell people, and put an environment to sleep that costs far too much.

    Sleep comes as an override like anybody else's, once a month: a newer `wake` or any `keep-awake`
    wins over it.
    """
    at = now()
    env = catalog.environment(environment)
    seen = outlook(bill_of_today(source, bills, at), env, catalog, capacity.get(), at)
    decision = seen.decision
    if decision.action == "sleep":
        capacity.update(lambda r: _guard(r, seen.forecast.month, decision.reason, at))
        events.publish(
            "capacity.asked", _detail(environment, seen, at) | {"title": f"{environment} costs too much"}
        )
    if decision.action != "none":
        title, tone = TITLES[decision.action]
        detail = _detail(environment, seen, at) | {"title": title.format(environment), "tone": tone}
        events.publish(f"cost.{decision.action}", detail)
    return seen


def _guard(record: CapacityRecord, month: str, reason: str, at: float) -> CapacityRecord:
    if record.guarded == month:
        return record
    end = day_bounds((date.fromisoformat(f"{month}-01") + timedelta(days=32)).replace(day=1))[0]
    override = ScheduleOverride("sleep", at, end, "cost guard", reason)
    return msgspec.structs.replace(add_override(record, override, at), guarded=month)


def _detail(environment: str, seen: CostOutlook, at: float) -> dict[str, object]:
    return {
        "environment": environment,
        "reason": seen.decision.reason,
        "evidence": seen.decision.evidence,
        "by": "cost guard",
        "command": f"candlefish cost -e {environment}",
        "at": at,
    }


def _hours(table: Timetable, record: CapacityRecord, now: float) -> Hours:
    naps = naps_of(record, now)

    @cache
    def hours(day: date) -> float:
        return awake_hours(day, table=table, overrides=record.overrides, naps=naps, now=now)

    return hours
