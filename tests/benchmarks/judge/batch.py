"""The judge over many releases at once, in numpy, for the benchmark.

The same numbers as `candlefish.analysis` for one metric (errors) and the default comparison; every
run of the benchmark replays a sample of its releases through the real judge and fails where a
single decision differs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from candlefish.analysis import calibration, evidence, likelihood
from candlefish.catalog.model import JudgePolicy

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Traffic(NamedTuple):
    """Counts of many releases: arrays of shape (releases, windows)."""

    baseline_requests: Counts
    baseline_errors: Counts
    canary_requests: Counts
    canary_errors: Counts


class Decisions(NamedTuple):
    """First window (from 1) of a rollback and of an early promotion; 0 for never."""

    rolled_back: Counts
    promoted: Counts


def decide(policy: JudgePolicy, traffic: Traffic, *spreads: Floats) -> list[Decisions]:
    """Judge each release on its own, once for each belief about bursts.

    `spreads` are log-weights of the levels of burstiness, (releases, levels); the windows'
    likelihoods do not depend on them and are computed once.
    """
    releases, windows = traffic.baseline_requests.shape
    levels = len(likelihood.BURSTS)
    odds = np.array([policy.margin, 1.0, policy.tolerance, *(policy.margin * r for r in evidence.RISES)])
    beliefs = [(spread - _log_sum(spread)[:, None]).T.copy() for spread in spreads]
    found = [Decisions(np.zeros(releases, int), np.zeros(releases, int)) for _ in spreads]
    rise = np.full((levels, releases, len(evidence.RISES)), -1e9)
    log_weights = np.log(np.array(evidence.WEIGHTS))
    null, same, worse, few, few_slow = (np.zeros((levels, releases)) for _ in range(5))
    runs = [(np.zeros(releases, int), *(np.zeros(releases) for _ in range(4))) for _ in policy.budgets]
    seen = np.zeros(releases)
    for t in range(windows):
        n_a, k_a, n_b, k_b = (counts[:, t].astype(float) for counts in traffic)
        left = evidence.unreleased(t + 1)
        told = np.where((k_a + k_b == 0) | (n_a <= 0) | (n_b <= 0), 0.0, 1.0)
        for spread in beliefs:
            weights = spread + null - _log_sum((spread + null).T)
            spread[
                (weights < evidence._NEVER) & (weights + rise.max(2) < evidence._NOTHING) & (told > 0)
            ] = -1e9
        prior = evidence.unreleased(t) - left
        rise = np.where(rise > evidence._MUCH, rise, np.log(np.exp(np.minimum(rise, evidence._MUCH)) + prior))
        for level, burst in enumerate(likelihood.BURSTS):
            logs = log_likelihoods(n_a, k_a, n_b, k_b, odds, burst)
            slack = likelihood.slack(burst) * told
            null[level] += logs[:, 0]
            same[level] += logs[:, 1] - slack
            worse[level] += logs[:, 2]
            rise[level] += logs[:, 3:] - logs[:, :1] - slack[:, None]
            few[level] += _negligible(n_b, k_b, policy.negligible, burst)
            few_slow[level] += _negligible(n_b, 0, policy.negligible, burst)
        split = 0.0
        if t:
            split = (
                _log_split(traffic.baseline_requests[:, t - 1], traffic.baseline_errors[:, t - 1], n_a, k_a)
                / 2
            )
        top = np.maximum(rise.max(2), 0.0)
        sums = top + np.log(left * np.exp(-top) + np.exp(rise + log_weights - top[:, :, None]).sum(2))
        seen += n_b
        broken, clean = _budgets(policy, runs, t, n_a, k_a, n_b, k_b)
        # Nothing is slow here: that tally learns nothing of bursts, and only the rate speaks for it.
        uneventful = np.exp(np.array(evidence.NO_HISTORY)) @ np.exp(np.minimum(few_slow, 500))
        clean &= ((1 + uneventful) / 2 >= 1 / policy.promote_alpha) & (seen >= policy.min_requests)
        for spread, (rolled, promoted) in zip(beliefs, found, strict=True):
            spread += split
            weights = _shares(spread + null)
            log_against = _log_sum((spread + null + sums).T) - _log_sum((spread + null).T)
            against = (np.exp(np.minimum(log_against, 600.0)) + 1) / 2
            rolled[(rolled == 0) & ((against >= 1 / policy.alpha) | broken)] = t + 1
            if t + 1 < policy.min_windows:
                continue
            odds_in_favour = _log_sum((spread + same).T) - _log_sum((spread + worse).T)
            quiet = (np.exp(np.minimum(few, 500)) * weights).sum(0)
            favour = (np.exp(np.minimum(odds_in_favour, 500)) + quiet) / 2
            promoted[(promoted == 0) & (rolled == 0) & clean & (favour >= 1 / policy.promote_alpha)] = t + 1
    return found


def history(requests: Counts, errors: Counts) -> Floats:
    """Log-weights of burstiness from windows before the release, as `calibrate` learns them."""
    logs = np.tile(np.array(evidence.NO_HISTORY), (requests.shape[0], 1))
    for t in range(0, requests.shape[1] - 1, 2):
        logs += _log_split(requests[:, t], errors[:, t], requests[:, t + 1], errors[:, t + 1]).T
    return np.maximum(logs - logs.max(1, keepdims=True), calibration._FLOOR)


def _budgets(policy, runs, t, n_a, k_a, n_b, k_b):  # type: ignore[no-untyped-def]
    broken = np.zeros(n_b.shape[0], bool)
    clean = np.ones(n_b.shape[0], bool)
    for index, budget in enumerate(policy.budgets):
        if budget.metric != "errors":
            continue
        length, *counts = runs[index]
        told = n_b > 0
        over = told & (k_b > budget.over * n_b)
        going = length > 0
        length = np.where(over, length + 1, np.where(told, 0, np.where(going, length + 1, 0)))
        now = (n_b, k_b, n_a, k_a)
        fresh = [
            np.where(over, count + new, np.where(told, 0.0, count))
            for count, new in zip(counts, now, strict=True)
        ]
        runs[index] = (length, *fresh)
        requests, events, others, other_events = fresh
        share = events / np.maximum(requests, 1)
        half = budget.over / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = share * np.log(share / half) + np.where(
                share < 1, (1 - share) * np.log((1 - share) / (1 - half)), 0.0
            )
        sure = over & (length * policy.window >= budget.lasting)
        sure &= (share > half) & (requests * distance >= np.log(10 / policy.alpha))
        shared = (others > 0) & (other_events > half * others)
        broken |= sure & (~shared if budget.shared == "hold" else True)
        clean &= requests == 0
    return broken, clean


def log_likelihoods(n_a, k_a, n_b, k_b, odds, burst):  # type: ignore[no-untyped-def]
    """`candlefish.analysis.likelihood.log_likelihoods`, for arrays of counts: (releases, odds)."""
    k = k_a + k_b
    silent = (n_a <= 0) | (n_b <= 0) | (k <= 0) | (k >= n_a + n_b)
    n_a, n_b = np.where(silent, 2, n_a), np.where(silent, 2, n_b)
    k_a, k_b = np.where(silent, 1, k_a), np.where(silent, 0, k_b)
    found = (_bursty if burst else _even)(n_a, k_a, n_b, k_b, odds[None], burst)
    return np.where(silent[:, None], 0.0, found)


def _bursty(n_a, k_a, n_b, k_b, odds, burst):  # type: ignore[no-untyped-def]
    shape = 1 / burst
    a, b, c, rest = k_b + shape, k_a + k_b, k_a + k_b + 2 * shape, k_a + shape
    constant = gammaln(a) + gammaln(rest) - gammaln(c) - 2 * gammaln(shape) + gammaln(2 * shape)
    constant = (constant + (c - 0.5) * np.log(c) - a * np.log(a) - rest * np.log(rest))[:, None]
    a, b, c, rest, k_b = (v[:, None] for v in (a, b, c, rest, k_b))
    scale = odds * (n_b / n_a)[:, None]
    x = 1 - scale
    tau = x * (b - a) - c
    root = np.sqrt(tau * tau - 4 * a * x * (c - b))
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(tau <= 0, 2 * a / (root - tau), -(tau + root) / (2 * x * (c - b)))
    z, w = 1 - y, 1 - x * y
    spread = y * y / a + z * z / rest - b * (x / w) ** 2 * (y * y / a) * (z * z / rest)
    powers = k_b * np.log(scale) + a * np.log(y) + rest * np.log(z) - b * np.log(w)
    return constant + powers - 0.5 * np.log(spread)


def _even(n_a, k_a, n_b, k_b, odds, burst):  # type: ignore[no-untyped-def]
    k = k_a + k_b
    found = np.zeros((len(k), odds.shape[1]))
    few = np.minimum(np.minimum(n_a, n_b), np.minimum(k, n_a + n_b - k)) <= likelihood._EXACT_TERMS
    constant = _log_choose(n_b, k_b) + _log_choose(n_a, k_a) - _log_choose(k, k_b)
    if few.any():
        found[few] = _summed(n_a[few], n_b[few], k[few], odds)
    if not few.all():
        found[~few] = _saddlepoint(n_a[~few, None], n_b[~few, None], k[~few, None], odds)
    return constant[:, None] + k_b[:, None] * np.log(odds) - found


def _summed(n_a, n_b, k, odds):  # type: ignore[no-untyped-def]
    low, high = np.maximum(0, k - n_a), np.minimum(n_b, k)
    coefficient, power = np.ones(len(k)), np.ones((len(k), odds.shape[1]))
    total = power.copy()
    x = low.copy()
    for _ in range(int((high - low).max())):
        coefficient = coefficient * np.where(
            x < high, (n_b - x) * (k - x) / ((x + 1) * (n_a - k + x + 1)), 0.0
        )
        power = power * odds
        total += coefficient[:, None] * power
        x = x + 1
    base = _log_choose(n_b, low) + _log_choose(n_a, k - low)
    return base[:, None] + low[:, None] * np.log(odds) + np.log(total)


def _saddlepoint(n_a, n_b, k, odds):  # type: ignore[no-untyped-def]
    square = odds * (n_a + n_b - k)
    linear = n_b * odds + n_a - k * (1 + odds)
    root = np.sqrt(linear * linear + 4 * square * k)
    t = np.where(linear > 0, 2 * k / (linear + root), (root - linear) / (2 * square))
    p_b, p_a = t * odds / (1 + t * odds), t / (1 + t)
    v_b, v_a = n_b * p_b * (1 - p_b), n_a * p_a * (1 - p_a)
    second, third = v_a + v_b, v_b * (1 - 2 * p_b) + v_a * (1 - 2 * p_a)
    fourth = v_b * (1 - 6 * p_b * (1 - p_b)) + v_a * (1 - 6 * p_a * (1 - p_a))
    correction = fourth / (8 * second * second) - 5 * third * third / (24 * second**3)
    whole = n_b * np.log1p(t * odds) + n_a * np.log1p(t) - k * np.log(t)
    return whole - 0.5 * np.log(2 * np.pi * second) + correction


def _log_split(n_1, k_1, n_2, k_2):  # type: ignore[no-untyped-def]
    silent = (n_1 <= 0) | (n_2 <= 0) | (k_1 + k_2 <= 0)
    scaled = k_2 * n_1 / np.maximum(n_2, 1)
    total = k_1 + scaled
    logs = [-total * np.log(2)]
    for shape, constant in likelihood._SHAPES:
        logs.append(gammaln(k_1 + shape) + gammaln(scaled + shape) - gammaln(total + 2 * shape) + constant)
    found = np.stack(logs)
    found = np.maximum(found, found[-1] + likelihood._LOG_OUTLIER)
    return np.where(silent, 0.0, found)


def _negligible(requests, events, share, burst):  # type: ignore[no-untyped-def]
    most, quarter = requests * share, requests * share / 4
    if burst == 0:
        return most - quarter - events * np.log(4)
    return (events + 1 / burst) * (np.log1p(burst * most) - np.log1p(burst * quarter)) - events * np.log(4)


def _log_choose(n, k):  # type: ignore[no-untyped-def]
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def _shares(logs: Floats) -> Floats:
    weights = np.exp(logs - logs.max(0))
    return weights / weights.sum(0)


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(1)
    return top + np.log(np.exp(logs - top[:, None]).sum(1))
