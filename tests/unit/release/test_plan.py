"""Plans: every strategy that the catalog accepts stays within Step Functions' history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.catalog.model import Approve, Duration, Smoke, Strategy, StrategyStep, Watch
from candlefish.release.plan import plan_release, polls
from tests.support.release_world import CATALOG

# Scheduled, started, failed: the state is entered and left once.
EVENTS_PER_LOOK = 3
EVENTS_PER_STEP = 20
HISTORY = 25_000

durations = st.floats(1, 14 * 86400).map(Duration)
steps = st.one_of(
    st.integers(1, 99).map(lambda w: StrategyStep(weight=w)),
    durations.map(lambda d: StrategyStep(judge=Watch(at_most=d))),
    durations.map(lambda d: StrategyStep(bake=Watch(at_most=d))),
    durations.map(lambda d: StrategyStep(approve=Approve(within=d))),
    durations.map(lambda d: StrategyStep(smoke=Smoke(within=d))),
)
strategies = st.builds(
    Strategy,
    name=st.just("any"),
    kind=st.just("canary"),
    steps=st.lists(steps, max_size=11).map(lambda s: (*s, StrategyStep(weight=100))),
    ready_within=st.floats(10, 3600).map(Duration),
)


@given(strategies, st.booleans(), st.sampled_from([1.0, 15.0, 60.0]))
def test_no_plan_outgrows_the_history(strategy: Strategy, first: bool, window: float) -> None:
    plan = plan_release(strategy, first=first, window=window, judge="default")
    assert polls(plan) * EVENTS_PER_LOOK + len(plan) * EVENTS_PER_STEP < HISTORY


@given(strategies)
def test_weight_is_never_shifted_before_its_capacity_is_ready(strategy: Strategy) -> None:
    plan = plan_release(strategy, first=False, window=60, judge="default")
    for place, step in enumerate(plan):
        if step.kind == "shift":
            assert [(s.kind, s.weight) for s in plan[place - 2 : place]] == [
                ("scale", step.weight),
                ("ready", 0),
            ]


@given(strategies, st.sampled_from([1.0, 60.0]))
def test_nobody_looks_more_often_than_a_window_is_complete(strategy: Strategy, window: float) -> None:
    for step in plan_release(strategy, first=False, window=window, judge="default"):
        assert step.poll == 0 or step.kind in ("ready", "smoke") or step.poll >= window


def test_a_first_release_asks_nobody_and_judges_nothing() -> None:
    plan = plan_release(CATALOG.strategies["canary"], first=True, window=60, judge="default")
    assert [step.kind for step in plan] == ["deploy", "ready", "smoke", "scale", "ready", "shift"]


def test_in_place_moves_no_weight_once_there_is_a_stable_version() -> None:
    plan = plan_release(CATALOG.strategies["rolling"], first=False, window=60, judge="default")
    assert [step.kind for step in plan] == ["deploy", "ready", "bake"]


def test_a_canary_that_nobody_can_judge_asks_and_a_development_release_goes_on() -> None:
    for name, unclear in (("canary", "ask"), ("rolling", "go_on"), ("blue-green", "go_on")):
        plan = plan_release(CATALOG.strategies[name], first=False, window=60, judge="default")
        assert {step.unclear for step in plan if step.kind in ("judge", "bake")} == {unclear}


@pytest.mark.parametrize("first", [True, False])
def test_nobody_is_smoke_tested_who_cannot_be_asked(first: bool) -> None:
    strategy = CATALOG.strategies["canary"]
    asked = plan_release(strategy, first=first, window=60, judge="default")
    left = plan_release(strategy, first=first, window=60, judge="default", asked=False)
    assert "smoke" in {step.kind for step in asked}
    assert [step for step in asked if step.kind != "smoke"] == list(left)
