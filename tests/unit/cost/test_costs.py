"""Thresholds, the guard, savings, the monthly report and hints."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from candlefish.capacity.calendar import agenda, desired_state
from candlefish.capacity.model import Nap, ScheduleOverride
from candlefish.capacity.record import add_override
from candlefish.catalog.model import Catalog, Cost, Environment
from candlefish.cost.decide import decide_cost
from candlefish.cost.hints import GIB, Usage, as_quantity, hints, spot_share
from candlefish.cost.model import CostOutlook, CostReport, Forecast, Rates
from candlefish.cost.review_costs import CostReview, review_costs
from candlefish.cost.savings import day_bounds, hours_asleep, savings
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.cost import MemoryBillSource, MemoryBillStore
from lab.memory.events import MemoryEvents
from lab.memory.meter import MemoryMeter
from tests.support.bills import HOLIDAYS, PRODUCTION, STAGING, TABLES, bill, moment, shown
from tests.support.capacity import HOUR

RATES = Rates(fixed=7.0, hourly=0.6, spread=0.5, days=28, known=True)


def expecting(total: float, **changes: Any) -> Forecast:
    seen = Forecast("staging", "2026-08", 300.0, total, total - 10, total + 10, RATES)
    return msgspec.structs.replace(seen, **changes)


def catalog(env: Environment) -> Catalog:
    return Catalog(
        services={}, environments={env.name: env}, strategies={}, policies={}, calendars={"us": HOLIDAYS}
    )


def world(env: Environment, day: str) -> dict[str, Any]:
    return {
        "catalog": catalog(env),
        "source": MemoryBillSource(shown),
        "bills": MemoryBillStore(),
        "capacity": MemoryCapacityStore(env.name),
        "events": MemoryEvents(),
        "meter": MemoryMeter(),
        "now": lambda: moment(f"{day}T13:00"),
    }


def watch_cost(environment: str, **ports: Any) -> CostOutlook:
    seen = review_costs(CostReview("watch"), environment=environment, **ports)
    assert isinstance(seen, CostOutlook)
    return seen


def report_cost(environment: str, **ports: Any) -> CostReport:
    report = review_costs(CostReview("report"), environment=environment, **ports)
    assert isinstance(report, CostReport)
    return report


# --- thresholds -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "action"),
    [
        (0, "none"),
        (479, "none"),
        (480, "warn"),
        (599, "warn"),
        (600, "propose"),
        (719, "propose"),
        (720, "sleep"),
    ],
)
def test_eighty_warns_a_hundred_proposes_a_hundred_and_twenty_sleeps(total: float, action: str) -> None:
    assert decide_cost(expecting(total), STAGING, scheduled_hours=100, guarded="").action == action


def test_the_proposal_names_the_hours_that_would_have_to_go() -> None:
    decision = decide_cost(expecting(630), STAGING, scheduled_hours=100, guarded="")
    assert "50 of the 100 hours" in decision.reason
    hopeless = decide_cost(expecting(715), STAGING, scheduled_hours=100, guarded="")
    assert "even asleep for the rest of the month it would stay $55 over" in hopeless.reason


@pytest.mark.parametrize(
    ("env", "changes", "guarded"),
    [
        (PRODUCTION, {"total": 2000.0, "low": 1990.0}, ""),
        (msgspec.structs.replace(STAGING, schedule=None), {}, ""),
        # The guard spoke this month, and somebody overruled it.
        (STAGING, {}, "2026-08"),
        # A rough guess.
        (STAGING, {"low": 500.0}, ""),
        (STAGING, {"rates": msgspec.structs.replace(RATES, days=2)}, ""),
    ],
)
def test_nobody_is_sent_to_sleep_who_must_not_or_on_a_rough_guess(
    env: Environment, changes: dict[str, Any], guarded: str
) -> None:
    seen = expecting(**{"total": 800.0, **changes})
    assert decide_cost(seen, env, scheduled_hours=100, guarded=guarded).action == "propose"


def test_a_bill_that_shows_nothing_is_a_warning_and_not_a_cheap_month() -> None:
    nothing = Rates(0.0, 0.0, 0.0, 0, False)
    decision = decide_cost(expecting(0, rates=nothing), STAGING, scheduled_hours=100, guarded="")
    assert decision.action == "warn"
    assert "activate the cost allocation tag" in decision.reason


def test_what_nobody_can_tell_is_not_advised() -> None:
    unknown = msgspec.structs.replace(RATES, known=False, hourly=0.0)
    decision = decide_cost(expecting(650, rates=unknown), STAGING, scheduled_hours=100, guarded="")
    assert "cannot be told" in decision.reason


# --- the daily look -------------------------------------------------------------------------


def test_an_environment_within_its_target_is_left_in_peace() -> None:
    ports = world(msgspec.structs.replace(STAGING, cost=Cost(low=400, high=900)), "2026-08-15")
    assert watch_cost("staging", **ports).decision.action == "none"
    assert ports["events"].published == []
    assert ports["capacity"].writes == 0


def test_cost_explorer_is_asked_once_a_day() -> None:
    ports = world(STAGING, "2026-08-15")
    for _ in range(5):
        watch_cost("staging", **ports)
    assert ports["source"].asked == 1
    ports["now"] = lambda: moment("2026-08-16T13:00")
    watch_cost("staging", **ports)
    assert ports["source"].asked == 2


def test_far_too_much_sleeps_until_the_month_ends_and_a_person_has_the_last_word() -> None:
    cheap = msgspec.structs.replace(STAGING, cost=Cost(low=100, high=300))
    ports = world(cheap, "2026-08-17")
    store, at = ports["capacity"], moment("2026-08-17T18:00")
    assert desired_state(TABLES["staging"], (), at).state == "awake"
    watch_cost("staging", **ports)
    assert ports["events"].kinds() == ["capacity.asked", "cost.sleep"]
    assert desired_state(TABLES["staging"], store.get().overrides, at).state == "asleep"
    assert store.get().overrides[0].until == moment("2026-09-01T00:00")
    store.update(
        lambda r: add_override(r, ScheduleOverride("wake", at, at + 8 * HOUR, "alice", "a demo"), at)
    )
    ports["now"] = lambda: moment("2026-08-18T13:00")
    assert watch_cost("staging", **ports).decision.action == "propose"
    assert desired_state(TABLES["staging"], store.get().overrides, at + HOUR).state == "awake"


def test_production_is_watched_and_never_sent_to_sleep() -> None:
    ports = world(msgspec.structs.replace(PRODUCTION, cost=Cost(low=100, high=300)), "2026-08-17")
    assert watch_cost("production", **ports).decision.action == "propose"
    assert ports["capacity"].writes == 0
    assert ports["events"].kinds() == ["cost.propose"]


# --- savings and the report -----------------------------------------------------------------


def test_hours_asleep_are_those_within_the_month() -> None:
    start, end = day_bounds(date(2026, 8, 1))[0], day_bounds(date(2026, 8, 31))[1]
    naps = [
        Nap(start - 5 * HOUR, start + 3 * HOUR),
        Nap(start + 50 * HOUR, start + 60 * HOUR),
        Nap(end - HOUR, end + HOUR),
    ]
    assert hours_asleep(naps, start, end) == 14
    assert savings(naps, RATES, start, end).amount == pytest.approx(14 * 0.6)
    assert savings(naps, msgspec.structs.replace(RATES, known=False), start, end).amount is None


def test_the_monthly_report_says_what_was_spent_saved_and_not_shown() -> None:
    ports = world(STAGING, "2026-10-04")
    nights = agenda(TABLES["staging"], (), day_bounds(date(2026, 7, 1))[0], day_bounds(date(2026, 9, 30))[1])
    naps = tuple(Nap(night.start, night.end) for night in nights if night.state == "asleep")
    ports["capacity"].record = msgspec.structs.replace(ports["capacity"].record, naps=naps)
    report = report_cost("staging", **ports)
    assert (report.month, report.missing) == ("2026-09", ())
    assert report.before is not None
    assert report.savings.hours_asleep == 30 * 24 - 21 * 16
    assert report.savings.amount == pytest.approx(report.savings.hours_asleep * 0.62, rel=0.1)
    assert report.untagged > 30
    (event,) = ports["events"].published
    assert event[0] == "cost.report"
    assert "384 hours asleep saved about $" in event[1]["reason"]
    assert "carry no environment tag" in event[1]["reason"]


def test_a_report_on_a_bill_with_holes_says_that_it_is_too_little() -> None:
    ports = world(STAGING, "2026-10-04")
    seen = bill(moment("2026-10-04T13:00"))
    days = {day: row for day, row in seen.days.items() if day not in ("2026-09-20", "2026-09-21")}
    ports["bills"].kept = msgspec.structs.replace(seen, days=days)
    report = report_cost("staging", **ports)
    assert report.missing == ("2026-09-20", "2026-09-21")
    assert ports["events"].published[0][1]["tone"] == "warning"


# --- hints ----------------------------------------------------------------------------------


def usage(**changes: float) -> Usage:
    values = {
        "cpu_requested": 0.5,
        "cpu_used": 0.4,
        "memory_requested": GIB,
        "memory_used": 0.78 * GIB,
        "pods": 3.0,
        "days": 14.0,
        **changes,
    }
    return Usage("api", **values)


def test_requests_that_fit_are_left_alone() -> None:
    assert hints([usage()]) == []


def test_what_is_far_too_large_is_made_smaller_with_room_to_spare() -> None:
    (hint,) = hints([usage(cpu_used=0.1)])
    assert (hint.resource, as_quantity("cpu", hint.suggested)) == ("cpu", "120m")
    assert hint.difference == pytest.approx(-0.38 * 3)
    assert "asks for 500m, uses 100m (95th percentile of 14 days)" in hint.reason


def test_what_is_too_small_comes_first() -> None:
    found = hints([usage(cpu_used=0.1), usage(memory_used=1.5 * GIB)])
    assert [hint.resource for hint in found] == ["memory", "cpu"]
    assert "too little, its Pods are killed" in found[0].reason
    assert found[0].suggested == pytest.approx(1.875 * GIB)


@pytest.mark.parametrize("changes", [{"days": 3.0}, {"cpu_used": 0.0}, {"cpu_used": float("nan")}])
def test_too_little_to_go_by_is_no_hint(changes: dict[str, float]) -> None:
    assert hints([usage(**changes)]) == []


def test_spot_is_counted_in_nodes() -> None:
    groups = [
        {"nodegroupName": "system", "capacityType": "ON_DEMAND", "scalingConfig": {"desiredSize": 2}},
        {"nodegroupName": "spot", "capacityType": "SPOT", "scalingConfig": {"desiredSize": 6}},
    ]
    assert spot_share(groups).share == 0.75
    assert spot_share([]).share is None
