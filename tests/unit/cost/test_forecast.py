"""Forecasts against months whose end is known."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from candlefish.catalog.model import Environment
from candlefish.cost.forecast import forecast
from candlefish.cost.model import Bill, Forecast
from tests.support.bills import (
    DEVELOPMENT,
    MONTHLY,
    PRODUCTION,
    STAGING,
    UNTAGGED,
    bill,
    hours_of,
    moment,
    real_month,
)


def at(env: Environment, day: str, seen: Bill | None = None) -> Forecast:
    now = moment(f"{day}T09:00")
    return forecast(seen or bill(now), env.name, lambda each: hours_of(env, each), now)


def miss(env: Environment, day: str) -> float:
    return at(env, day).total / real_month(env, day[:7]) - 1


@pytest.mark.parametrize("env", [DEVELOPMENT, STAGING, PRODUCTION], ids=lambda env: env.name)
@pytest.mark.parametrize("month", ["2026-08", "2026-09", "2026-10"])
def test_three_months_are_foreseen_within_five_percent_from_the_tenth_on(
    env: Environment, month: str
) -> None:
    # Staging got bigger on the twelfth of October, which nobody can foresee before.
    days = (20, 25, 30) if (env, month) == (STAGING, "2026-10") else (10, 15, 20, 25, 30)
    for day in days:
        assert abs(miss(env, f"{month}-{day:02}")) < 0.05, day


@pytest.mark.parametrize("env", [DEVELOPMENT, STAGING, PRODUCTION], ids=lambda env: env.name)
@pytest.mark.parametrize("month", ["2026-08", "2026-09"])
@pytest.mark.parametrize("day", ["01", "02", "03"])
def test_an_empty_first_of_the_month_does_not_mislead(env: Environment, month: str, day: str) -> None:
    seen = at(env, f"{month}-{day}")
    if day == "01":
        assert seen.spent == 0
    assert abs(seen.total / real_month(env, month) - 1) < 0.08


def test_what_comes_once_a_month_is_expected_once() -> None:
    seen = at(STAGING, "2026-08-01")
    assert any("expected once, on the first" in note for note in seen.notes)
    later = at(STAGING, "2026-08-20")
    assert later.notes == ()
    assert later.rates.hourly == pytest.approx(0.62, rel=0.1)
    without = msgspec.structs.replace(
        bill(moment("2026-08-01T09:00")),
        days={
            day: {name: cost - (MONTHLY if day.endswith("-01") else 0) for name, cost in row.items()}
            for day, row in bill(moment("2026-08-01T09:00")).days.items()
        },
    )
    assert at(STAGING, "2026-08-01", without).total == pytest.approx(seen.total - MONTHLY, abs=3)


@pytest.mark.parametrize("day", ["2026-09-13", "2026-09-15", "2026-09-28"])
def test_days_without_tags_are_counted_all_the_same_and_named(day: str) -> None:
    seen = at(STAGING, day)
    assert set(seen.guessed) >= {each.isoformat() for each in UNTAGGED}
    assert any("carry no environment tag" in note for note in seen.notes)
    assert abs(seen.total / real_month(STAGING, "2026-09") - 1) < 0.05
    assert seen.spent < seen.total


def test_others_do_not_pay_for_the_days_without_tags() -> None:
    assert not set(at(DEVELOPMENT, "2026-09-15").guessed) & {each.isoformat() for each in UNTAGGED}


def test_a_day_that_was_really_cheap_is_believed() -> None:
    seen = bill(moment("2026-08-20T09:00"))
    days = {**seen.days, "2026-08-12": {**seen.days["2026-08-12"], "staging": 2.0}}
    cheap = at(STAGING, "2026-08-20", msgspec.structs.replace(seen, days=days))
    assert "2026-08-12" not in cheap.guessed
    gone = seen.days["2026-08-12"]["staging"] - 2.0
    assert cheap.total == pytest.approx(at(STAGING, "2026-08-20").total - gone, abs=4)


def test_days_that_the_bill_does_not_show_are_filled_in_and_named() -> None:
    seen = bill(moment("2026-08-20T09:00"))
    days = {day: row for day, row in seen.days.items() if day not in ("2026-08-05", "2026-08-06")}
    filled = at(STAGING, "2026-08-20", msgspec.structs.replace(seen, days=days))
    assert {"2026-08-05", "2026-08-06"} <= set(filled.guessed)
    assert filled.total == pytest.approx(at(STAGING, "2026-08-20").total, rel=0.03)


def test_rates_tell_a_day_asleep_from_a_day_awake() -> None:
    rates = at(DEVELOPMENT, "2026-08-25").rates
    assert rates.known
    assert rates.fixed == pytest.approx(5.1, rel=0.1)
    assert rates.hourly == pytest.approx(0.41, rel=0.1)


def test_what_is_always_awake_says_that_nobody_can_tell_what_sleep_saves() -> None:
    rates = at(PRODUCTION, "2026-08-25").rates
    assert not rates.known
    assert rates.hourly == 0


def test_a_jump_in_the_middle_of_a_month_is_followed() -> None:
    before, after = miss(STAGING, "2026-10-11"), miss(STAGING, "2026-10-28")
    assert before < -0.05
    assert abs(after) < 0.04


def test_an_environment_that_the_bill_never_shows_costs_nothing_known_and_says_so() -> None:
    seen = forecast(
        bill(moment("2026-08-20T09:00")), "elsewhere", lambda day: 24.0, moment("2026-08-20T09:00")
    )
    assert seen.total == 0
    assert any("only 0 days" in note for note in seen.notes)


def test_the_margin_holds_what_really_came() -> None:
    inside = 0
    for month in ("2026-08", "2026-09"):
        for day in range(3, 29, 5):
            for env in (DEVELOPMENT, STAGING, PRODUCTION):
                seen = at(env, f"{month}-{day:02}")
                inside += seen.low <= real_month(env, month) <= seen.high
    assert inside >= 32  # of 36


def test_the_forecast_never_falls_below_what_is_spent() -> None:
    for day in range(1, 31):
        seen = at(DEVELOPMENT, f"2026-09-{day:02}")
        assert seen.spent <= seen.total + 0.01
        assert seen.low <= seen.total <= seen.high
    assert date(2026, 9, 30).isoformat() not in at(DEVELOPMENT, "2026-09-30").guessed
