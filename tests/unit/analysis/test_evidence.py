"""The level holds, whenever one looks; regressions are found, whenever they begin."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from candlefish.analysis import evidence
from candlefish.analysis.calibration import calibrate
from candlefish.analysis.judge import first_state, judge
from candlefish.analysis.likelihood import BURSTS
from candlefish.catalog.model import JudgePolicy
from tests.support.streams import MINUTE, POLICY, traffic

ODDS_ONLY = JudgePolicy(name="odds")


@pytest.fixture(autouse=True)
def likelihoods_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of streams show the same few counts, and a likelihood depends on nothing but counts."""
    for name in ("log_likelihoods", "log_split"):
        monkeypatch.setattr(evidence, name, lru_cache(maxsize=None)(getattr(evidence, name)))


def highest(
    rng: np.random.Generator,
    windows: int,
    spread: tuple[float, ...],
    burst: float,
    *,
    canary: int,
    base: float,
) -> float:
    """Most evidence ever seen against a canary that is exactly as bad as the margin still tolerates."""
    tally = evidence.new(ODDS_ONLY, spread)
    most = 0.0
    noise = rng.gamma(1 / burst, burst, (windows, 2)) if burst else np.ones((windows, 2))
    odds = ODDS_ONLY.margin * base / (1 - base)
    shares = np.minimum(np.array([base, odds / (1 + odds)]) * noise, 1)
    errors = rng.binomial([9 * canary, canary], shares).tolist()
    for index, (theirs, ours) in enumerate(errors):
        evidence.update(tally, ODDS_ONLY, (9 * canary, theirs), (canary, ours), index, MINUTE * index)
        most = max(most, evidence.against(tally, index + 1))
    return most


def certain(level: int) -> tuple[float, ...]:
    """Log-weights of somebody who knows the burstiness."""
    return tuple(0.0 if index == level else -50.0 for index in range(len(BURSTS)))


def test_the_martingale_bound_holds_on_ten_thousand_streams_that_are_just_tolerable() -> None:
    """Ville: evidence passes 1/alpha with probability alpha at most, however often one looks."""
    rng = np.random.default_rng(1)
    most = np.array([highest(rng, 20, certain(0), 0.0, canary=30, base=0.01) for _ in range(10_000)])
    for alpha in (0.2, 0.1, 0.05, 0.02, 0.01):
        share, sigma = (most >= 1 / alpha).mean(), math.sqrt(alpha / len(most))
        assert share <= alpha + 3 * sigma, (alpha, share)
    # And it is a bound worth having: the process moves.
    assert (most >= 2).mean() > 0.05


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_bound_holds_when_errors_clump_as_much_as_believed(level: int) -> None:
    rng = np.random.default_rng(level)
    burst = BURSTS[level]
    most = np.array([highest(rng, 20, certain(level), burst, canary=600, base=0.01) for _ in range(600)])
    for alpha in (0.2, 0.1, 0.05):
        assert (most >= 1 / alpha).mean() <= alpha + 3 * math.sqrt(alpha / len(most))


def test_without_history_bursts_are_recognised_before_they_do_harm() -> None:
    """Uncorrected, most of these would be rolled back: each arm's rate doubles or vanishes by the minute."""
    rng = np.random.default_rng(4)
    most = [highest(rng, 30, evidence.NO_HISTORY, 1.0, canary=2000, base=0.01) for _ in range(300)]
    assert sum(one >= 100 for one in most) <= 9
    naive = [highest(rng, 30, certain(0), 1.0, canary=2000, base=0.01) for _ in range(50)]
    assert sum(one >= 100 for one in naive) >= 45


def found(seed: int, **told: float) -> int:
    """Window of the rollback, 99 for never."""
    state, _ = judge(POLICY, first_state(POLICY, 0.0), traffic(seed, **told), 60 * MINUTE, 60 * MINUTE)  # type: ignore[arg-type]
    return state.rolled_back.window if state.rolled_back else 99


def test_a_regression_after_twenty_clean_windows_is_found_about_as_fast_as_one_from_the_start() -> None:
    at_once = np.median([found(seed, times=3.0) for seed in range(60)])
    late = np.median([found(seed, times=3.0, begins=20) for seed in range(60)]) - 20
    assert late <= at_once + 2
    # A plain product of e-values has been measured to need until window 49, one start at a time until 32.
    assert 20 + late <= 32


def test_prior_over_starts_is_a_probability() -> None:
    left = [evidence.unreleased(windows) for windows in range(2000)]
    assert left[0] == 1.0 and all(a > b > 0 for a, b in pairwise(left))


def test_silent_windows_leave_the_evidence_alone() -> None:
    tally = evidence.new(POLICY)
    for index in range(50):
        evidence.update(tally, POLICY, (900, 0), (100, 0), index, MINUTE * index)
    assert evidence.against(tally, 50) == pytest.approx(1.0)


def test_the_sign_test_needs_nothing_but_that_arms_can_be_swapped() -> None:
    """Heavy-tailed, wildly bursty arms of one size: the level holds all the same."""
    policy = JudgePolicy(name="sign", comparison="sign", margin=1.0, tolerance=2.0)
    rng = np.random.default_rng(9)
    passed = 0
    for _ in range(1500):
        tally = evidence.new(policy)
        most = 0.0
        for index in range(40):
            share = np.minimum(0.01 * rng.pareto(0.8, 2), 0.9)
            errors = rng.binomial(1000, share)
            evidence.update(tally, policy, (1000, int(errors[0])), (1000, int(errors[1])), index, 0.0)
            most = max(most, evidence.against(tally, index + 1))
        passed += most >= 20
    assert passed / 1500 <= 0.05 + 3 * math.sqrt(0.05 / 1500)


def test_the_sign_test_finds_a_canary_that_is_worse_every_minute() -> None:
    policy = JudgePolicy(name="sign", comparison="sign")
    windows = traffic(3, weight=0.5, times=4.0, base=0.01, burst=0.1)
    state, _ = judge(policy, first_state(policy, 0.0), windows, 60 * MINUTE, 60 * MINUTE)
    assert state.rolled_back and state.rolled_back.window <= 15


def test_the_sign_test_says_nothing_of_arms_of_different_size() -> None:
    policy = JudgePolicy(name="sign", comparison="sign")
    state, verdict = judge(policy, first_state(policy, 0.0), traffic(3, times=9.0), 60 * MINUTE, 60 * MINUTE)
    assert verdict.action == "ask" and not state.rolled_back


def test_history_makes_a_bursty_service_slow_to_accuse_and_an_even_one_quick() -> None:
    even = calibrate(traffic(1, weight=0.0, base=0.01, minutes=120), ("errors",))["errors"]
    bursty = calibrate(traffic(1, weight=0.0, base=0.01, minutes=120, burst=0.5), ("errors",))["errors"]
    assert even.burst[0] == 0.0 and bursty.burst[0] < -6
    tallies = [evidence.new(POLICY, known.burst) for known in (even, bursty)]
    for tally in tallies:
        evidence.update(tally, POLICY, (2700, 27), (300, 15), 0, 0.0)
    assert evidence.against(tallies[0], 1) > 10 * evidence.against(tallies[1], 1)
    assert evidence.burst(tallies[0]) < 0.05 < evidence.burst(tallies[1])


def test_calibration_is_refreshed_and_forgets() -> None:
    calm = calibrate(traffic(1, weight=0.0, base=0.01, minutes=120), ("errors",))
    wild = [
        msgspec.structs.replace(w, start=w.start + 7200, end=w.end + 7200)
        for w in traffic(2, weight=0.0, base=0.01, minutes=120, burst=1.0)
    ]
    refreshed = calibrate(wild, ("errors",), calm)["errors"]
    assert refreshed.burst[0] < -6 and refreshed.burst[-1] > -1
    assert refreshed.pairs == 120


def test_one_incident_in_the_history_does_not_make_a_service_bursty() -> None:
    shares = [0.005] * 60 + [0.05] * 5 + [0.005] * 60
    known = calibrate(traffic(5, weight=0.0, base=shares, minutes=125), ("errors",))["errors"]
    assert known.burst[0] > known.burst[-1] + 4


def test_a_service_without_history_is_believed_capable_of_anything() -> None:
    assert calibrate([], ("errors",))["errors"].burst == [
        one - max(evidence.NO_HISTORY) for one in evidence.NO_HISTORY
    ]
