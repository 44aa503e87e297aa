"""Troubles that both versions have are found quickly and not in steady traffic; an experiment says whose fault they are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.analysis.experiment import (
    Conclusion,
    after_trial,
    begin_trial,
    conclude,
    longest_trial,
    look_at,
)
from candlefish.analysis.model import Arm, Window
from candlefish.analysis.trouble import Monitor, called_for, first_monitor, observe, policy_now
from candlefish.catalog.model import Budget, Duration, JudgePolicy, Reading

HOURS = 180


def binomial(rng: random.Random, number: int, share: float) -> int:
    """A draw; the normal approximation is good enough where it is used."""
    middle, spread = number * share, (number * share * (1 - share)) ** 0.5
    return min(number, max(0, round(rng.gauss(middle, spread))))


def windows(
    shares: Sequence[float],
    *,
    start: float = 0.0,
    rate: int = 6000,
    weight: float = 0.1,
    length: float = 60.0,
    rng: random.Random | None = None,
    metric: Literal["errors", "slow"] = "errors",
) -> list[Window]:
    """Windows in which both versions have these shares; without `rng` just these."""

    def arm(requests: int, share: float) -> Arm:
        events = binomial(rng, requests, share) if rng else round(requests * share)
        return Arm(requests, events) if metric == "errors" else Arm(requests, slow=events)

    canary = round(rate * weight)
    return [
        Window(start + i * length, start + (i + 1) * length, arm(rate - canary, share), arm(canary, share))
        for i, share in enumerate(shares)
    ]


def watch_of(*, base: float = 0.005, rate: int = 6000, unit: float = 60.0, length: float = 60.0) -> Monitor:
    past = windows([base] * HOURS, start=-HOURS * length, rate=rate, weight=0, length=length)
    return first_monitor(past, unit)


def found_at(watch: Monitor, stream: Sequence[Window], *, suspected: bool = False) -> int:
    """The number of the window, from 1, after which an experiment was called for; 0: never."""
    for number, window in enumerate(stream, 1):
        watch = observe(watch, window, suspected=suspected)
        if watch.trouble:
            return number
    return 0


def in_trouble(share: float, **more: float) -> Monitor:
    """A watch that has found both versions with this share."""
    watch = watch_of(**more)  # type: ignore[arg-type]
    for window in windows([share, share]):
        watch = observe(watch, window)
    assert watch.trouble
    return watch


def experiment(watch: Monitor, shares: Sequence[float], *, since: float = 200.0, **more: int) -> Conclusion:
    """What is concluded from windows with these shares of the old version, the first of which begins at 120."""
    look = begin_trial(watch, since)
    assert look
    for window in windows(shares, start=120.0, weight=0, **more):  # type: ignore[arg-type]
        look = look_at(look, window)
        if conclusion := conclude(look, over=False):
            return conclusion
    last = conclude(look, over=True)
    assert last
    return last


# --- found --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "within"), [(0.05, 2), (0.2, 1), (0.45, 1)])
@pytest.mark.parametrize("metric", ["errors", "slow"])
def test_what_both_have_is_found_within_two_windows(
    share: float, within: int, metric: Literal["errors", "slow"]
) -> None:
    share = share + 0.001 if metric == "slow" else share
    assert found_at(watch_of(), windows([0.005] * 10 + [share] * 5, metric=metric)) == 10 + within


@given(st.integers(0, 10**6), st.floats(0.0005, 0.01), st.sampled_from([300, 3000, 30000]))
@settings(max_examples=50, deadline=None)
def test_half_an_outage_is_found_whatever_the_traffic_and_the_phase(
    seed: int, base: float, rate: int
) -> None:
    rng = random.Random(seed)
    stream = windows([base] * 11 + [rng.uniform(base, 0.2)] + [0.2] * 3, rate=rate, rng=rng)
    assert found_at(watch_of(base=base, rate=rate), stream) in (12, 13, 14)


@given(
    st.integers(0, 10**6),
    st.floats(0.0005, 0.01),
    st.sampled_from([30, 600, 6000, 60000]),
    st.sampled_from([0.01, 0.1, 0.5]),
    st.floats(0, 0.7),
)
@settings(max_examples=100, deadline=None)
def test_steady_traffic_and_a_days_swing_call_for_nothing(
    seed: int, base: float, rate: int, weight: float, swing: float
) -> None:
    rng = random.Random(seed)
    shares = [base * (1 + swing * (i % 240 - 120) / 120) for i in range(HOURS + 60)]
    stream = windows(shares, start=-HOURS * 60.0, rate=rate, weight=weight, rng=rng)
    alone = [Window(w.start, w.end, w.baseline, Arm(0)) for w in stream[:HOURS]]
    assert found_at(first_monitor(alone, 60), stream[HOURS:]) == 0


@given(st.integers(0, 10**6), st.sampled_from([0.001, 0.005]))
@settings(max_examples=30, deadline=None)
def test_noise_that_the_hours_before_had_calls_for_nothing(seed: int, base: float) -> None:
    rng, level, shares = random.Random(seed), 0.0, []
    for _ in range(HOURS + 60):
        level = 0.9 * level + rng.gauss(0, 0.5 * (1 - 0.81) ** 0.5)
        shares.append(min(0.9, base * 2.718**level))
    stream = windows(shares, start=-HOURS * 60.0, rng=rng)
    assert found_at(first_monitor(stream[:HOURS], 60), stream[HOURS:]) == 0


def test_one_window_of_a_small_trouble_calls_for_nothing() -> None:
    assert found_at(watch_of(), windows([0.005, 0.05, 0.005, 0.05, 0.005])) == 0


def test_what_only_the_old_version_has_calls_for_nothing() -> None:
    stream = windows([0.2] * 5)
    alone = [Window(w.start, w.end, w.baseline, Arm(600, 3)) for w in stream]
    assert found_at(watch_of(), alone) == 0


def test_short_windows_need_as_much_time_as_long_ones() -> None:
    watch = watch_of(rate=1500, length=15.0)
    assert found_at(watch, windows([0.45] * 9, rate=1500, length=15.0)) == 4
    assert found_at(watch, windows([0.05] * 9, rate=1500, length=15.0)) == 8


def test_a_suspicion_of_somebody_else_needs_one_window_and_half_the_bar() -> None:
    stream = windows([0.015, 0.015])
    assert found_at(watch_of(), stream) == 0
    assert found_at(watch_of(), stream, suspected=True) == 1
    assert found_at(watch_of(), windows([0.005] * 9), suspected=True) == 0


def test_what_began_before_the_release_is_not_its_doing_unless_it_gets_much_worse() -> None:
    past = windows([0.005] * 178 + [0.06] * 2, start=-HOURS * 60.0)
    watch = first_monitor(past, 60)
    assert watch.explained and watch.explained.why == "before"
    assert found_at(watch, windows([0.06] * 10)) == 0
    assert found_at(watch, windows([0.06] * 2 + [0.3])) == 3
    # It was over, and something new began.
    assert found_at(watch, windows([0.06] * 2 + [0.005] * 2 + [0.06] * 3)) == 6


def test_without_hours_before_the_first_windows_are_learnt_from() -> None:
    assert found_at(first_monitor([], 60), windows([0.005] * 5 + [0.2] * 2)) == 6
    # What was there from the first window on is what the service is like, as far as anybody knows.
    assert found_at(first_monitor([], 60), windows([0.2] * 9)) == 0


def test_a_recorded_baseline_is_no_witness() -> None:
    recorded = [Window(w.start, w.end, w.baseline, w.canary, recorded=True) for w in windows([0.4] * 5)]
    assert found_at(watch_of(), recorded) == 0


def test_a_call_says_what_was_counted() -> None:
    said = called_for(in_trouble(0.2))
    assert "20% (240 of 1,200)" in said and "20% (2,160 of 10,800)" in said and "0.5%" in said
    assert called_for(watch_of()) == ""


# --- concluded ----------------------------------------------------------------------------------


def test_a_recovery_from_a_great_trouble_is_proof() -> None:
    told = experiment(in_trouble(0.2), [0.2, 0.2, 0.004])
    assert told.outcome == "recovered"
    assert "20% (2,160 of 10,800)" in told.reason and "0.4% (24 of 6,000)" in told.reason
    assert told.evidence["with_canary"] == {"requests": 10800, "events": 2160}


def test_the_window_in_which_the_weight_became_0_counts_for_nothing() -> None:
    # [120, 180) is before 200 and bad, [180, 240) has 200 in it, [240, 300) is well.
    watch = in_trouble(0.2)
    look = begin_trial(watch, 200.0)
    assert look
    before, astride, well = windows([0.2, 0.004, 0.004], start=120.0, weight=0)
    look = look_at(look_at(look, before), astride)
    assert conclude(look, over=False) is None
    concluded = conclude(look_at(look, well), over=False)
    assert concluded and concluded.outcome == "recovered"


def test_a_small_trouble_has_to_come_back_with_the_canary() -> None:
    watch = in_trouble(0.05)
    first = experiment(watch, [0.05, 0.05, 0.004])
    assert first.outcome == "once"
    watch = after_trial(watch, first)
    for window in windows([0.05, 0.05], start=300.0):
        watch = observe(watch, window)
    assert "as before" in called_for(watch)
    look = begin_trial(watch, 420.0)
    assert look
    second = conclude(look_at(look, windows([0.004], start=420.0, weight=0)[0]), over=False)
    assert second and second.outcome == "recovered" and "the second time" in second.reason


def test_what_was_over_before_the_weight_was_0_proves_nothing() -> None:
    assert experiment(in_trouble(0.2), [0.004, 0.1, 0.004]).outcome == "passed"


def test_two_bad_windows_are_no_recovery() -> None:
    told = experiment(in_trouble(0.2), [0.2, 0.2, 0.2, 0.21])
    assert told.outcome == "persists" and "it is not the canary" in told.reason


def test_a_slow_recovery_is_waited_for() -> None:
    assert experiment(in_trouble(0.45), [0.45, 0.45, 0.3, 0.1, 0.004]).outcome == "recovered"


def test_without_requests_nothing_is_known() -> None:
    assert experiment(in_trouble(0.2), [0.0] * 6, rate=0).outcome == "unclear"
    # Two requests that went well are no recovery.
    assert experiment(in_trouble(0.2), [0.0] * 4, rate=2).outcome == "unclear"


@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.2, 0.45]), st.sampled_from([600, 6000]))
@settings(max_examples=50, deadline=None)
def test_it_is_never_the_canary_while_the_world_is_in_trouble(seed: int, share: float, rate: int) -> None:
    rng = random.Random(seed)
    stream = windows([share] * 4, start=240.0, rate=rate, weight=0, rng=rng)
    look = begin_trial(in_trouble(share), 240.0)
    outcomes = set()
    for window in stream:
        assert look
        look = look_at(look, window)
        outcomes.add(told.outcome if (told := conclude(look, over=False)) else None)
    assert outcomes == {None, "persists"}


# --- afterwards ---------------------------------------------------------------------------------


def after_persisting(share: float = 0.1) -> Monitor:
    watch = in_trouble(share)
    return after_trial(watch, experiment(watch, [share] * 5))


def test_what_the_world_does_calls_for_nothing_more_until_it_was_over_or_is_much_worse() -> None:
    assert found_at(after_persisting(), windows([0.1] * 30)) == 0
    assert found_at(after_persisting(), windows([0.1, 0.1, 0.4])) == 3
    assert found_at(after_persisting(), windows([0.1, 0.005, 0.1, 0.005, 0.1])) == 0
    assert found_at(after_persisting(), windows([0.1, 0.005, 0.005, 0.1])) == 4


POLICY = JudgePolicy(
    name="p", budgets=(Budget("errors", 0.1, Duration(60), "rollback"), Budget("slow", 0.1, Duration(60)))
)


def test_an_experiment_comes_before_a_budget_that_rolls_back_what_both_break() -> None:
    watch = in_trouble(0.2)
    assert [b.shared for b in policy_now(POLICY, watch, possible=True).budgets] == ["hold", "hold"]
    assert policy_now(POLICY, watch, possible=False) == POLICY


def test_what_the_world_does_breaks_no_budget_of_the_canary() -> None:
    assert min(b.over for b in policy_now(POLICY, after_persisting(), possible=True).budgets) > 0.999
    asked = after_trial(watch := in_trouble(0.2), experiment(watch, [0.0] * 6, rate=0))
    assert policy_now(POLICY, asked, possible=True) == POLICY


def test_a_look_lasts_as_long_as_the_slowest_source_may_take() -> None:
    quick = JudgePolicy(name="p", sources={"prometheus": Reading(Duration(15), Duration(15))})
    assert longest_trial(quick) == longest_trial(JudgePolicy(name="p")) == 600
