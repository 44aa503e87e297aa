"""The level holds, whenever one looks; regressions are found, whenever they begin."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from candlefish.analysis import evidence, regressions
from candlefish.analysis.calibration import calibrate
from candlefish.analysis.judge import first_state, judge
from candlefish.analysis.levels import LEVELS, NO_HISTORY
from candlefish.analysis.likelihood import BURSTS
from candlefish.analysis.tallies import new
from candlefish.catalog.model import JudgePolicy
from tests.support.streams import MINUTE, POLICY, traffic, window

ODDS_ONLY = JudgePolicy(name="odds")


@pytest.fixture(autouse=True)
def likelihoods_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of streams show the same few counts, and a likelihood depends on nothing but counts."""
    for name in ("log_likelihoods", "log_binomial", "likeness"):
        monkeypatch.setattr(evidence, name, lru_cache(maxsize=None)(getattr(evidence, name)))


def highest(
    rng: np.random.Generator,
    windows: int,
    spread: tuple[float, ...],
    burst: float,
    *,
    canary: int,
    base: float,
    outliers: float = 1e-9,
    noise: NDArray[np.float64] | None = None,
) -> float:
    """Most evidence ever seen against a canary that is exactly as bad as the margin still tolerates."""
    tally = new(ODDS_ONLY, spread, outliers)
    most = 0.0
    if noise is None:
        noise = rng.gamma(1 / burst, burst, (windows, 2)) if burst else np.ones((windows, 2))
    odds = ODDS_ONLY.margin * base / (1 - base)
    shares = np.minimum(np.array([base, odds / (1 + odds)]) * noise, 1)
    errors = rng.binomial([9 * canary, canary], shares).tolist()
    for index, (theirs, ours) in enumerate(errors):
        evidence.update(tally, ODDS_ONLY, (9 * canary, theirs), (canary, ours), index, MINUTE * index)
        most = max(most, tally.against)
    return most


def certain(level: int) -> tuple[float, ...]:
    """Log-weights of somebody who knows the burstiness."""
    return tuple(0.0 if index == level else -50.0 for index in range(len(LEVELS)))


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


def test_the_bound_holds_when_an_arm_has_a_bad_minute_as_often_as_believed() -> None:
    """Thirty times the errors, in three minutes of a hundred of each arm, for reasons of its own."""
    rng = np.random.default_rng(5)

    def most(outliers: float) -> NDArray[np.float64]:
        noises = (np.where(rng.random((30, 2)) < 0.03, 30.0, 1.0) for _ in range(600))
        told = {"canary": 300, "base": 0.01, "outliers": outliers}
        return np.array([highest(rng, 30, certain(0), 0.0, noise=noise, **told) for noise in noises])  # type: ignore[arg-type]

    granted = most(0.03)
    for alpha in (0.1, 0.05, 0.02):
        assert (granted >= 1 / alpha).mean() <= alpha + 3 * math.sqrt(alpha / len(granted))
    # Who grants none accuses most of them.
    assert (most(1e-9) >= 100).mean() > 0.3


def wandering(rng: np.random.Generator, windows: int, spread: float) -> NDArray[np.float64]:
    """Two arms whose rates wander by themselves: autoregressive in the logarithm, 0.9 a minute."""
    logs = np.empty((windows, 2))
    logs[0] = rng.normal(0, spread, 2)
    for at in range(1, windows):
        logs[at] = 0.9 * logs[at - 1] + rng.normal(0, spread * math.sqrt(1 - 0.81), 2)
    return np.exp(logs - spread * spread / 2)


def test_the_bound_holds_when_versions_wander_apart_as_believed() -> None:
    rng = np.random.default_rng(6)
    level = len(LEVELS) - 1
    spread = LEVELS[level].spread / math.sqrt(2)

    def most(weights: tuple[float, ...], number: int) -> NDArray[np.float64]:
        told = {"canary": 600, "base": 0.01}
        return np.array(
            [highest(rng, 40, weights, 0.0, noise=wandering(rng, 40, spread), **told) for _ in range(number)]  # type: ignore[arg-type]
        )

    believed = most(certain(level), 300)
    for alpha in (0.1, 0.05):
        assert (believed >= 1 / alpha).mean() <= alpha + 3 * math.sqrt(alpha / len(believed))
    # Who takes ten bad minutes for ten proofs accuses most of them.
    assert (most(certain(0), 60) >= 100).mean() > 0.5


@pytest.mark.parametrize("kind", ["outliers", "wandering"])
def test_the_history_teaches_what_a_service_does_by_itself(kind: str) -> None:
    """Learnt from three hours before, at most alpha of the healthy canaries are accused."""
    rng = np.random.default_rng(7)
    accused = 0
    for _ in range(200):
        if kind == "outliers":
            noise = np.where(rng.random((240, 2)) < 0.03, 30.0, 1.0)
        else:
            noise = wandering(rng, 240, 0.5)
        errors = rng.binomial([5400, 600], np.minimum(0.005 * noise, 1)).tolist()
        past = [window(m, (6000, round(a * 6000 / 5400)), (0, 0)) for m, (a, _) in enumerate(errors[:180])]
        known = calibrate(past, ("errors",))["errors"]
        tally = new(ODDS_ONLY, known.burst, known.outliers)
        most = 0.0
        for index, (theirs, ours) in enumerate(errors[180:]):
            evidence.update(tally, ODDS_ONLY, (5400, theirs), (600, ours), index, MINUTE * index)
            most = max(most, tally.against)
        accused += most >= 60
    assert accused / 200 <= (0.01 if kind == "outliers" else 0.03) + 3 * math.sqrt(0.01 / 200)


def test_without_history_bursts_are_recognised_before_they_do_harm() -> None:
    """Uncorrected, most of these would be rolled back: each arm's rate doubles or vanishes by the minute."""
    rng = np.random.default_rng(4)
    most = [highest(rng, 30, NO_HISTORY, 1.0, canary=2000, base=0.01) for _ in range(300)]
    assert sum(one >= 100 for one in most) <= 9
    # Uncorrected, with every level but the even one unthinkable.
    naive = [highest(rng, 30, certain(0), 1.0, canary=2000, base=0.01) for _ in range(50)]
    assert sum(one >= 100 for one in naive) >= 30


def found(seed: int, **told: float) -> int:
    """Window of the rollback of a service whose history is known, 99 for never."""
    known = calibrate(traffic(seed + 1000, weight=0.0, minutes=180), ("errors",))
    state = first_state(POLICY, 0.0, calibration=known)
    state, _ = judge(POLICY, state, traffic(seed, **told), 60 * MINUTE, 60 * MINUTE)  # type: ignore[arg-type]
    return state.rolled_back.window if state.rolled_back else 99


def test_a_regression_after_twenty_clean_windows_is_found_about_as_fast_as_one_from_the_start() -> None:
    at_once = np.median([found(seed, times=3.0) for seed in range(60)])
    late = np.median([found(seed, times=3.0, begins=20) for seed in range(60)]) - 20
    assert late <= at_once + 3
    # A plain product of e-values has been measured to need until window 49, one start at a time until 32.
    assert 20 + late <= 32


def test_prior_over_starts_is_a_probability() -> None:
    left = [regressions.unreleased(windows) for windows in range(2000)]
    assert left[0] == 1.0 and all(a > b > 0 for a, b in pairwise(left))


def test_silent_windows_leave_the_evidence_alone() -> None:
    tally = new(POLICY)
    for index in range(50):
        evidence.update(tally, POLICY, (900, 0), (100, 0), index, MINUTE * index)
    assert tally.against == pytest.approx(1.0)


def test_the_sign_test_needs_nothing_but_that_arms_can_be_swapped() -> None:
    """Heavy-tailed, wildly bursty arms of one size: the level holds all the same."""
    policy = JudgePolicy(name="sign", comparison="sign", margin=1.0, tolerance=2.0)
    rng = np.random.default_rng(9)
    passed = 0
    for _ in range(1500):
        tally = new(policy)
        most = 0.0
        for index in range(40):
            share = np.minimum(0.01 * rng.pareto(0.8, 2), 0.9)
            errors = rng.binomial(1000, share)
            evidence.update(tally, policy, (1000, int(errors[0])), (1000, int(errors[1])), index, 0.0)
            most = max(most, tally.against)
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
    assert max(even.burst[1:]) < even.burst[0] == 0.0 and bursty.burst[0] < -6
    tallies = [new(POLICY, known.burst) for known in (even, bursty)]
    for tally in tallies:
        evidence.update(tally, POLICY, (2700, 27), (300, 15), 0, 0.0)
    assert tallies[0].against > 10 * tallies[1].against
    assert evidence.burst(tallies[0]) < 0.05 < evidence.burst(tallies[1])


def test_calibration_is_refreshed_and_forgets() -> None:
    calm = calibrate(traffic(1, weight=0.0, base=0.01, minutes=120), ("errors",))
    wild = [
        msgspec.structs.replace(w, start=w.start + 7200, end=w.end + 7200)
        for w in traffic(2, weight=0.0, base=0.01, minutes=120, burst=1.0)
    ]
    refreshed = calibrate(wild, ("errors",), calm)["errors"]
    assert refreshed.burst[0] < -6 and refreshed.burst[3] > -1
    assert refreshed.pairs == 120


def test_one_incident_in_the_history_does_not_make_a_service_bursty() -> None:
    shares = [0.005] * 60 + [0.05] * 5 + [0.005] * 115
    known = calibrate(traffic(5, weight=0.0, base=shares, minutes=180), ("errors",))["errors"]
    assert known.burst[0] > -3 and max(known.burst[2:5]) < -6


def test_a_service_without_history_is_believed_capable_of_anything() -> None:
    assert calibrate([], ("errors",))["errors"].burst == list(NO_HISTORY)
