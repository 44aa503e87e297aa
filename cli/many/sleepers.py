"""Levels of noise that join late (`evidence._miss`): what they missed, for all windows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from candlefish.analysis import evidence, regressions
from candlefish.analysis.levels import LEVELS
from cli.many.likelihoods import Flags, Floats, Split, log_binomial, log_likelihoods
from cli.many.streams import EVENS, WANDERERS, Pairs, Rows, negligible, unreleased

if TYPE_CHECKING:
    from cli.many.tallies import Tallies


def catch_up(late: Tallies, pairs: Pairs, seen: Rows, learning: Flags) -> None:
    """Let tallies without evidence consume the windows so far, without weighing their levels against each other.

    `pairs` are (windows, rows), `seen` the number of windows of each row; `learning`, (levels, rows), are the levels
    that learn from the baseline's windows.
    """
    inside = np.arange(len(pairs.n_a))[:, None] < seen
    for level, noise in enumerate(LEVELS):
        quiet = negligible(pairs, late.policy.negligible, noise.burst)
        late.negligible[level] = np.where(inside, quiet, 0.0).sum(0)
    told = inside & (pairs.k_a + pairs.k_b > 0) & (pairs.n_a > 0) & (pairs.n_b > 0)
    prior = _priors(told, inside)
    at = np.nonzero(told)
    some = Pairs(*(counts[at] for counts in pairs))
    for level in EVENS:
        part = np.flatnonzero(late.followed[level, at[1]])
        if len(part):
            _follow_even(late, level, (at[0][part], at[1][part]), some.at(part), prior)
    _follow_wandering(late, at, some, prior)
    _learn(late, pairs, seen, learning)


At = tuple[NDArray[np.intp], ...]


def _priors(told: Flags, inside: Flags) -> Floats:
    """Of the starts of a regression that a window has to account for: its own, and those of silent ones before it."""
    windows = np.arange(len(told))
    own = unreleased(windows) - unreleased(windows + 1)
    found, waiting = np.zeros(told.shape), np.zeros(told.shape[1])
    for at, prior in enumerate(own):
        waiting += np.where(inside[at], prior, 0.0)
        found[at] = waiting
        waiting = np.where(told[at], 0.0, waiting)
    return found


def _follow_even(late: Tallies, level: int, at: At, pairs: Pairs, prior: Floats) -> None:
    """`Tallies._even` for windows and rows `at`."""
    windows, rows = at
    policy, bad, number = late.policy, late.outliers[rows], late.number
    # Those that were asleep follow no stretch.
    points = (*regressions.ratios(policy.margin, policy.tolerance), float(late.shown(rows[:1])[0]))
    logs = log_likelihoods(*pairs, points, LEVELS[level].burst)
    top, slack = logs.max(1), evidence._SLACKS[level]
    base = np.log((1 - bad) * np.exp(logs[:, 0] - top) + bad) + top
    worse = np.log((1 - bad) * np.exp(logs[:, 2] - top) + bad) + top
    late.null[level] += np.bincount(rows, base, number)
    late.same[level] += np.bincount(rows, logs[:, 1] - slack, number)
    late.worse[level] += np.bincount(rows, worse, number)
    gains = np.exp(logs[:, 3:] - (base + slack)[:, None])
    rise = late.rise[level]
    for window, part in _by_window(windows):
        here = rows[part]
        risen = (rise[here] + prior[window, here, None]) * gains[part]
        rise[here] = np.minimum(risen, evidence._MOST)


def _follow_wandering(late: Tallies, at: At, pairs: Pairs, prior: Floats) -> None:
    levels = list(WANDERERS)
    some = np.flatnonzero(late.followed[levels][:, at[1]].any(0))
    if not len(some):
        return
    windows, rows = at[0][some], at[1][some]
    logs = log_binomial(*pairs.at(some), regressions.wandering_ratios(late.policy.margin))
    tops = logs.max(1)
    likelihoods = np.exp(logs - tops[:, None])
    for window, part in _by_window(windows):
        for level in levels:
            mine = part[late.followed[level, rows[part]]]
            if len(mine):
                late.wander(level, rows[mine], tops[mine], likelihoods[mine], prior[window, rows[mine]])


def _learn(late: Tallies, pairs: Pairs, seen: Rows, learning: Flags) -> None:
    """`Tallies._learn` for all windows but the newest, which all levels learn from together."""
    n, k = pairs.n_a, pairs.k_a
    windows = np.arange(len(n))[:, None]
    for back, share in ((1, 2), (late.far, 3)):
        if back >= len(n):
            continue
        told = (windows[back:] < seen - 1) & (n[:-back] > 0) & (n[back:] > 0) & (k[:-back] + k[back:] > 0)
        at = np.nonzero(told)
        split = Split(n[:-back][at], k[:-back][at], n[back:][at], k[back:][at])
        for level, noise in enumerate(LEVELS):
            part = np.flatnonzero(learning[level, at[1]])
            if len(part):
                logs = split.logs(noise.apart(back * late.length), part)
                late.spread[level] += np.bincount(at[1][part], logs, late.number) / share


def _by_window(windows: NDArray[np.intp]) -> list[tuple[int, NDArray[np.intp]]]:
    """Where each window stands, of windows in ascending order."""
    found, first = np.unique(windows, return_index=True)
    ends = [*first[1:].tolist(), len(windows)]
    return [
        (int(window), np.arange(begin, end))
        for window, begin, end in zip(found, first.tolist(), ends, strict=True)
    ]
