"""Days are drawn from their seeds alone, and shrink to the happenings that matter."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lab.simulator.plan import (
    ConfigurationAsked,
    Day,
    PostTurned,
    ReleaseAsked,
    SteeringAsked,
    WeatherTurned,
    draw,
)
from lab.simulator.shrink import shrunk


@given(st.integers(0, 10_000))
def test_a_seed_draws_one_day(seed: int) -> None:
    day = draw(seed)
    assert draw(seed) == day
    assert msgspec.json.decode(msgspec.json.encode(day), type=Day) == day, "a day can be written down"
    assert list(day.happenings) == sorted(day.happenings, key=lambda each: each.at)
    assert all(0 <= each.at <= day.hours * 3600 for each in day.happenings)
    assert day.services


def test_days_differ() -> None:
    days = [draw(seed) for seed in range(60)]
    assert {day.environment for day in days} == {"production", "staging", "development"}
    kinds = {type(each).__name__ for day in days for each in day.happenings}
    assert kinds >= {"ReleaseAsked", "TrainAsked", "RollbackAsked", "ExecutionStopped", "AlertFired"}
    assert {WeatherTurned.__name__, PostTurned.__name__} <= kinds


def test_half_of_the_days_have_services_of_every_kind_and_a_third_another_configuration() -> None:
    days = [draw(seed) for seed in range(200)]
    with_kinds = [day for day in days if any(name.endswith(("-jobs", "-inside")) for name in day.services)]
    kinds = {name.rpartition("-")[2] for day in with_kinds for name in day.services}
    assert {"jobs", "inside"} <= kinds
    assert 70 < len(with_kinds) < 130
    released = {
        each.service for day in with_kinds for each in day.happenings if isinstance(each, ReleaseAsked)
    }
    assert {name for name in released if name.endswith(("-jobs", "-inside"))}
    stateful = [day for day in days if any(name.endswith("-data") for name in day.services)]
    assert 40 < len(stateful) < 100
    for day in stateful:
        about = {type(each) for each in day.happenings if getattr(each, "service", "").endswith("-data")}
        assert ReleaseAsked in about
    configured = [each for day in days for each in day.happenings if isinstance(each, ConfigurationAsked)]
    assert 50 < len(configured) < 160
    assert any(each.service.endswith("-jobs") for each in configured)


def test_on_half_of_the_days_people_steer_releases() -> None:
    asked = [
        [each for each in draw(seed).happenings if isinstance(each, SteeringAsked)] for seed in range(200)
    ]
    assert 60 < sum(map(bool, asked)) < 140
    assert {each.action for day in asked for each in day} == {"pause", "promote", "abort", "freeze"}


@given(st.sets(st.integers(0, 19), min_size=1, max_size=3))
def test_a_day_shrinks_to_the_happenings_that_break_it(needed: set[int]) -> None:
    weather = [
        WeatherTurned(float(at), port="rules", kind="late", probability=0.5, lasts=60.0) for at in range(20)
    ]
    day = Day(1, "production", 0.0, 1.0, ("website",), tuple(weather))
    tried: list[int] = []

    def fails(shorter: Day) -> bool:
        tried.append(len(shorter.happenings))
        return needed <= {int(each.at) for each in shorter.happenings}

    least = shrunk(day, fails)
    assert {int(each.at) for each in least.happenings} == needed
    assert len(tried) < 200


def test_a_day_that_breaks_by_itself_shrinks_to_nothing() -> None:
    day = draw(3)
    assert shrunk(day, lambda shorter: True).happenings == ()
