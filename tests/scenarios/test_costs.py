"""What a release and an idle month cost, from what is counted while they are played; prices are data."""

from __future__ import annotations

import pytest

from tests.benchmarks.cost.__main__ import BEGINS, CANARY_GOAL, ENDS, MONTH_GOAL, PAGE, services, written
from tests.benchmarks.cost.counted import METHODS
from tests.benchmarks.cost.prices import PRICES, dollars
from tests.benchmarks.cost.scenes import Canary, Idle, grown, metrics_of, play_canary, play_idle


@pytest.fixture(scope="module")
def canary() -> Canary:
    return play_canary()


def test_a_canary_of_five_steps_stays_within_its_goal(canary: Canary) -> None:
    assert sum(dollars(canary.release.counts).values()) <= CANARY_GOAL


def test_an_idle_month_with_the_six_services_stays_within_its_goal() -> None:
    """Alarms, key, secret, and what the clockwork calls: whoever adds an alarm or a schedule sees it here."""
    idle = play_idle(services())
    assert idle.services == 6
    assert sum(dollars(idle.counts).values()) <= MONTH_GOAL


def test_a_look_is_one_transition(canary: Canary) -> None:
    looks = {
        "Analysis": "run_analysis",
        "Ready": "check_ready",
        "Smoke": "smoke_test",
        "NextStep": "next_step",
    }
    for state, function in looks.items():
        assert canary.release.states["release", state] == canary.release.functions[function] > 0
    waits = [state for machine, state in canary.release.states if machine == "release" and "Wait" in state]
    assert waits == []
    # What the watch began with, it looked at while the release ended.
    assert 0 <= canary.watch.states["watch", "Watch"] - canary.watch.functions["watch_window"] <= 1


def test_a_release_is_far_from_the_end_of_its_history(canary: Canary) -> None:
    assert canary.release.longest < 1000


def test_alarms_are_billed_by_the_metrics_that_they_read() -> None:
    assert metrics_of({"MetricName": "HealthyHostCount"}) == 1
    assert (
        metrics_of({"Metrics": [{"Id": "e", "Expression": "a/b"}, {"MetricStat": {}}, {"MetricStat": {}}]})
        == 2
    )


def test_what_grows_is_continued_and_what_does_not_stays() -> None:
    few, many = Idle(2, {"keys": 1.0, "alarm_metrics": 6.0}), Idle(6, {"keys": 1.0, "alarm_metrics": 18.0})
    assert grown(few, many, 50) == {"keys": 1.0, "alarm_metrics": 150.0}


def test_every_price_says_its_unit_and_who_says_so() -> None:
    assert all(price.each > 0 and price.unit and price.source for price in PRICES.values())
    assert all(0 <= reads <= 1 and 0 <= writes <= 2 for reads, writes in METHODS.values())


def test_the_table_takes_its_place_in_the_page() -> None:
    page = PAGE.read_text()
    assert page.count(BEGINS) == 1
    again = written(page, "| made |")
    assert again.startswith(page.partition(BEGINS)[0]) and again.endswith(page.partition(ENDS)[2])
    assert "| made |" in again
