"""Four months of bills in the shape that Cost Explorer answers, made up day by day, and as it showed them at the time.

No real account is at hand. What real bills do is in them: costs follow the hours awake, wobble by a
few percent, jump when somebody adds a node; a charge comes on the first of each month; tags get
lost for some days; the last day is shown in part, and the first of a month is empty at first.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from candlefish.adapters.aws.cost_explorer import read_pages
from candlefish.capacity.calendar import timetable
from candlefish.catalog.model import Calendar, Cost, Environment, Schedule
from candlefish.cost.model import Bill
from candlefish.cost.savings import awake_hours
from tests.support.capacity import environment

FIRST, LAST = date(2026, 7, 1), date(2026, 10, 31)
# Days on which staging's new nodes came without tags.
UNTAGGED = (date(2026, 9, 9), date(2026, 9, 10), date(2026, 9, 11))
HOLIDAYS = Calendar(name="us", days={"2026-07-03": "Independence Day", "2026-09-07": "Labor Day"})
MONTHLY = 31.0
ZONE = "America/Los_Angeles"

STAGING = environment(
    "staging",
    cost=Cost(low=400, high=600),
    schedule=Schedule(timezone=ZONE, awake=("Mon-Fri 06:00-22:00",), holidays=("us",)),
)
DEVELOPMENT = environment(
    "development",
    cost=Cost(low=200, high=400),
    schedule=Schedule(timezone=ZONE, awake=("Mon-Fri 07:00-20:00",), holidays=("us",)),
)
PRODUCTION = environment("production", production=True, schedule=None, cost=Cost(low=800, high=1200))


TABLES = {env.name: timetable(env, {"us": HOLIDAYS}) for env in (STAGING, DEVELOPMENT)}


def hours_of(env: Environment, day: date) -> float:
    """Hours awake by schedule, as the environment really was."""
    return 24.0 if env.schedule is None else _hours(env.name, day)


@cache
def _hours(name: str, day: date) -> float:
    return awake_hours(day, table=TABLES[name], overrides=(), naps=(), now=0.0)


def real_cost(env: Environment, day: date) -> float:
    """What a day really cost."""
    wobble = random.Random(f"{env.name} {day}").gauss(1.0, 0.03)
    fixed, hourly = {"staging": (7.4, 0.62), "development": (5.1, 0.41), "production": (12.0, 1.05)}[env.name]
    if env.name == "staging" and day >= date(2026, 10, 12):
        hourly *= 1.2
    monthly = MONTHLY if day.day == 1 and env.name != "production" else 0.0
    return (fixed + hourly * hours_of(env, day)) * wobble + monthly


def shown(day: date, now: float = float("inf")) -> Mapping[str, float]:
    """What Cost Explorer showed of a day at a time: costs by environment, "" for what carries no tag."""
    share = _shown(day, now)
    found, untagged = {}, 1.7
    for env in (DEVELOPMENT, PRODUCTION, STAGING):
        cost = real_cost(env, day) * share
        if env is STAGING and day in UNTAGGED:
            untagged, cost = untagged + 0.8 * cost, 0.2 * cost
        found[env.name] = cost
    return {**found, "": untagged * share} if share else {}


def answer(now: float = float("inf")) -> Mapping[str, Any]:
    """The answer of GetCostAndUsage as it was at a time: the days that it showed, and how much of each."""
    rows = []
    for offset in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        start, end = day.isoformat(), (day + timedelta(days=1)).isoformat()
        rows.append(
            {
                "TimePeriod": {"Start": start, "End": end},
                "Total": {},
                "Groups": [_group(f"Environment${name}", cost) for name, cost in shown(day, now).items()],
                "Estimated": day.month == LAST.month,
            }
        )
    return {
        "GroupDefinitions": [{"Type": "TAG", "Key": "Environment"}],
        "ResultsByTime": rows,
        "DimensionValueAttributes": [],
    }


def bill(now: float) -> Bill:
    """What the control plane knew at a time."""
    return read_pages([answer(now)], FIRST, LAST, now)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def real_month(env: Environment, month: str) -> float:
    """What a month really cost, tags or not."""
    day, total = date.fromisoformat(f"{month}-01"), 0.0
    while f"{day:%Y-%m}" == month:
        total += real_cost(env, day)
        day += timedelta(days=1)
    return total


def _shown(day: date, now: float) -> float:
    """How much of a day Cost Explorer shows: nothing for twelve hours, part of it for a day, then all."""
    age = now - datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return 0.0 if age < 12 * 3600 else 0.35 if age < 30 * 3600 else 0.8 if age < 48 * 3600 else 1.0


def _group(key: str, amount: float) -> dict[str, Any]:
    return {"Keys": [key], "Metrics": {"UnblendedCost": {"Amount": f"{amount:.10f}", "Unit": "USD"}}}
