"""What an environment costs this month, will have cost at its end, and what is to be done about it: pure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

from candlefish.capacity.calendar import Timetable, timetable
from candlefish.capacity.model import CapacityRecord
from candlefish.catalog.model import Catalog, Environment
from candlefish.cost.decide import decide_cost
from candlefish.cost.forecast import Hours, forecast
from candlefish.cost.model import Bill, CostOutlook
from candlefish.cost.savings import awake_hours, day_bounds, naps_of, savings, scheduled_hours


def outlook(
    bill: Bill, environment: Environment, catalog: Catalog, record: CapacityRecord, now: float
) -> CostOutlook:
    """Forecast, decision and savings of one environment, from the bill and what is remembered."""
    hours_left, month = 24.0 * 31, f"{datetime.fromtimestamp(now, UTC):%Y-%m}"
    if environment.production:
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


def _hours(table: Timetable, record: CapacityRecord, now: float) -> Hours:
    naps = naps_of(record, now)

    @cache
    def hours(day: date) -> float:
        return awake_hours(day, table=table, overrides=record.overrides, naps=naps, now=now)

    return hours
