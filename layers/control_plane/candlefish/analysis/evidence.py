"""Evidence about one stream of counts, window by window: e-processes that may be looked at at any time.

For each way in which equal versions may differ (`levels`) and each odds ratio of a grid, a window's e-value is its
likelihood under that ratio over its likelihood under a canary that is just tolerable.

*Any start.* A regression may begin at any window. `S := (S + prior) x e` sums over all starts at the
cost of one float per grid point; clean windows then carry no debt.

*Bad minutes.* Now and then an arm has one for reasons of its own. So the canary that is tolerable is granted a share of
windows (`tally.outliers`) that may be anything at all: no window says more than one over that share.

*Unknown noise.* All levels run in parallel. They are weighed by how well each explains what was seen if nothing were
wrong: the baseline against itself, and the canary against the baseline. So the evidence is a ratio of two Bayesian
marginal likelihoods.

*The level.* Under a tolerable canary the evidence passes c with probability 1/c at most when the noise is one of the
levels and known to be (Ville 1939). When it is not known, that is divided by the prior of the true level. What it comes
to is measured, in docs/judge.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

from candlefish.analysis.levels import AWAKE, LEVELS, MISSED, NEARBY, likeness
from candlefish.analysis.likelihood import log_binomial, log_likelihoods, slack
from candlefish.analysis.model import Tally
from candlefish.analysis.regressions import (
    WANDERING_POWERS,
    WEIGHTS,
    ratio_shown,
    ratios,
    tolerated,
    unreleased,
    wandering_ratios,
    wide_weights,
)
from candlefish.analysis.signs import STAKES, update_signs
from candlefish.analysis.tallies import begin_step, begin_stretch, fresh, likely, log_sum, softmax
from candlefish.analysis.wandering import REACH, Row, moved
from candlefish.catalog.model import JudgePolicy

# A level less likely than this whose evidence could not move the sum is given up.
_NEVER, _NOTHING = 1e-4, 1e-2
_BY_LEVEL = ("levels", "spread", "null", "rise", "place", "same", "worse", "departed", "negligible")
# Beyond this, evidence is certainty and stays within floats.
_MOST = 1e200
_EQUAL = (1 / len(STAKES),) * len(STAKES)
_SLACKS = tuple(slack(level.burst) for level in LEVELS)
_LOG4 = log(4.0)
_QUARTERS = 0.75


def update(
    tally: Tally,
    policy: JudgePolicy,
    baseline: tuple[int, int],
    canary: tuple[int, int],
    windows: int,
    start: float,
    length: float = 60.0,
    recorded: bool = False,
    together: bool = False,
) -> None:
    """Consume one window of (requests, events) on both sides, `length` seconds long; `windows` came before it.

    `tally.against` is the evidence then.

    `together` says that the stretch begins when its family's does (`begin_stretch`).

    A recorded baseline does not teach how bursty it is now, let alone how it drifts over hours.
    """
    left = unreleased(windows + 1)
    prior = unreleased(windows) - left
    if policy.comparison == "sign":
        step = update_signs(tally, policy, baseline, canary, prior)
        tally.against = left + sum([w * s for w, s in zip(_EQUAL, tally.rise[0], strict=True)])
        tally.negligible[0] += _negligible(canary, policy.negligible, LEVELS[4].burst)
    else:
        step = _odds(tally, policy, baseline, canary, prior, length)
        if baseline[1] + canary[1] and tally.levels:
            _weigh(tally, left)
        if tally.asleep:
            _miss(tally, policy, (*baseline, *canary), windows, length)
        if not recorded:
            _learn(tally, baseline, length)
    odds = _stratum(*baseline, *canary)
    if not together and tally.run_log <= 0:
        begin_stretch(tally, start)
    tally.run_log = max(0.0, tally.run_log + step)
    _add(tally.total, (*baseline, *canary))
    # The stretch that speaks against the canary, for the operator to read.
    _add(tally.run, (*baseline, *canary, 1))
    if odds:
        _add(tally.total_odds, odds)
        _add(tally.run_odds, odds)


def _add(sums: list[Any], more: tuple[float, ...]) -> None:
    for at, one in enumerate(more):
        sums[at] += one


def burst(tally: Tally) -> float:
    """Noise of the baseline: squared coefficient of variation of an arm's rate in a window."""
    weights = [1.0] if len(tally.levels) == 1 else softmax(tally.spread)
    return sum([w * LEVELS[level].burst for w, level in zip(weights, tally.levels, strict=True)])


def wander(tally: Tally) -> float:
    """Variance of the log odds ratio by which equal versions wander apart for minutes."""
    weights = [1.0] if len(tally.levels) == 1 else softmax(tally.spread)
    return sum([w * LEVELS[level].spread ** 2 for w, level in zip(weights, tally.levels, strict=True)])


def in_favour(tally: Tally) -> float:
    """Evidence that the canary is tolerable: as good as the baseline, or negligible in itself.

    Intolerable means both worse than `tolerance` times the baseline's odds *and* more than a
    `negligible` share of the requests, so the mean of evidence against either is evidence enough.
    """
    if len(tally.levels) == 1:
        negligible = exp(min(tally.negligible[0], 500.0))
        return (exp(min(tally.same[0] - tally.worse[0], 500.0)) + negligible) / 2
    # That a worse canary has wandered to where it looks as good, and stays there, cannot be ruled out by looking; it is
    # not what keeps a canary, unless nothing else explains the service.
    some = [at for at, place in enumerate(tally.place) if not place] or list(range(len(tally.levels)))
    same = log_sum([tally.spread[at] + tally.same[at] for at in some])
    worse = log_sum([tally.spread[at] + tally.worse[at] for at in some])
    negligible = sum(
        [w * exp(min(one, 500.0)) for w, one in zip(likely(tally), tally.negligible, strict=True)]
    )
    return (exp(min(same - worse, 500.0)) + negligible) / 2


# --- one window ---------------------------------------------------------------------------------


def _odds(
    tally: Tally,
    policy: JudgePolicy,
    baseline: tuple[int, int],
    canary: tuple[int, int],
    prior: float,
    length: float,
) -> float:
    """The hypergeometric e-values; returns the log-likelihood ratio the stretch is followed with."""
    for at, level in enumerate(tally.levels):
        tally.negligible[at] += _negligible(canary, policy.negligible, LEVELS[level].burst)
    if baseline[1] + canary[1] == 0 or baseline[0] <= 0 or canary[0] <= 0:
        # It says nothing: a regression may have begun, and what wanders stays where it is.
        tally.waiting += prior
        return 0.0
    prior, tally.waiting = prior + tally.waiting, 0.0
    wide = log_binomial(baseline, canary, wandering_ratios(policy.margin)) if any(tally.place) else []
    points, best, step = (*ratios(policy.margin, policy.tolerance), ratio_shown(tally, policy)), -1e300, 0.0
    bad, good = tally.outliers, 1 - tally.outliers
    for at, level in enumerate(tally.levels):
        if tally.place[at]:
            _follow_wandering(tally, at, wide, prior, length, tolerated(policy))
            continue
        burst_ = LEVELS[level].burst
        logs = log_likelihoods(baseline, canary, points, burst_)
        top = max(logs)
        base = log(good * exp(logs[0] - top) + bad) + top
        less = base + _SLACKS[level]
        tally.null[at] += base
        tally.same[at] += logs[1] - _SLACKS[level]
        tally.worse[at] += log(good * exp(logs[2] - top) + bad) + top
        risen = [(s + prior) * exp(x - less) for s, x in zip(tally.rise[at], logs[3:], strict=True)]
        tally.rise[at] = risen if max(risen) < _MOST else [min(one, _MOST) for one in risen]
        if tally.spread[at] + tally.null[at] > best:
            best, step = tally.spread[at] + tally.null[at], logs[4] - base
    return step


def _follow_wandering(
    tally: Tally, at: int, logs: Sequence[float], prior: float, length: float, tolerated: int
) -> None:
    """One window of a level at which equal versions wander apart (a forward step of its hidden Markov chain)."""
    spread, bad, width = LEVELS[tally.levels[at]].spread, tally.outliers, 2 * REACH + 1
    top = max(logs)
    likelihoods = [exp(one - top) for one in logs]
    here = moved(tally.place[at], spread, length)
    now = [a * ((1 - bad) * b + bad) for a, b in zip(here, likelihoods, strict=False)]
    total = sum(now)
    tally.place[at] = [one / total for one in now]
    gain = log(total) + top
    tally.null[at] += gain
    tally.same[at] += gain
    gone = [
        a * ((1 - bad) * b + bad)
        for a, b in zip(moved(tally.departed[at], spread, length), likelihoods[tolerated:], strict=False)
    ]
    worse = sum(gone)
    tally.departed[at] = [one / worse for one in gone]
    tally.worse[at] += log(worse) + top
    begun = [prior * share for share in here]
    rows = []
    for power, row in zip(WANDERING_POWERS, _rows(tally.rise[at], spread, length), strict=True):
        rows += [
            min((s + b) * x / total, _MOST)
            for s, b, x in zip(row, begun, likelihoods[power : power + width], strict=True)
        ]
    tally.rise[at] = rows


def _rows(flat: Row, spread: float, length: float) -> list[Row]:
    width = 2 * REACH + 1
    return [moved(flat[i : i + width], spread, length) for i in range(0, len(flat), width)]


def _weigh(tally: Tally, left: float) -> None:
    """The evidence after a window; levels that are ruled out, and without a say in it, are no more work."""
    if len(tally.levels) == 1 and not tally.place[0]:
        (row,) = tally.rise
        tally.against = min(left + sum([w * s for w, s in zip(WEIGHTS, row, strict=True)]), _MOST)
        return
    found, kept = 0.0, []
    for at, (weight, row) in enumerate(zip(likely(tally), tally.rise, strict=True)):
        shares = wide_weights() if tally.place[at] else WEIGHTS
        risen = weight * sum([w * s for w, s in zip(shares, row, strict=True)])
        found += weight * left + risen
        if weight > _NEVER or risen > _NOTHING:
            kept.append(at)
    tally.against = min(found, _MOST)
    if len(kept) < len(tally.levels):
        for name in _BY_LEVEL:
            held = getattr(tally, name)
            setattr(tally, name, [held[at] for at in kept])


def _miss(tally: Tally, policy: JudgePolicy, counts: Sequence[int], windows: int, length: float) -> None:
    """Keep a window for the levels that are not followed; let them join once something speaks against the canary."""
    tally.missed += counts
    number = len(tally.missed) // 4
    if tally.against < AWAKE:
        if number >= MISSED:
            tally.asleep, tally.asleep_spread, tally.missed = [], [], []
        return
    late = fresh(tally.asleep, tally.asleep_spread, tally.outliers)
    alone = fresh(tally.levels, tally.spread, tally.outliers) if len(tally.levels) == 1 else None
    for at in range(number):
        if at == tally.missed_before:
            begin_step(late)
        n_a, k_a, n_b, k_b = tally.missed[4 * at : 4 * at + 4]
        before = windows - number + 1 + at
        prior = unreleased(before) - unreleased(before + 1)
        _odds(late, policy, (n_a, k_a), (n_b, k_b), prior, length)
        if at < number - 1:
            for each in (late, alone) if alone else (late,):
                _learn(each, (n_a, k_a), length, always=True)
    if alone:
        tally.spread, tally.past = alone.spread, alone.past
    for name in _BY_LEVEL:
        getattr(tally, name).extend(getattr(late, name))
    tally.asleep, tally.asleep_spread, tally.missed = [], [], []
    _weigh(tally, unreleased(windows + 1))


def _learn(tally: Tally, baseline: tuple[int, int], length: float, always: bool = False) -> None:
    """What the baseline's own windows say of its noise: neighbours, and windows some minutes apart."""
    if len(tally.levels) == 1 and not always:
        # Nothing to weigh it against; what is asleep weighs it when it joins.
        return
    levels, far = tuple(tally.levels), max(2, round(NEARBY / length))
    if tally.past:
        near = likeness((tally.past[-2], tally.past[-1]), baseline, length, levels)
        # Each window is in two pairs, so each pair counts half.
        tally.spread = [a + b / 2 for a, b in zip(tally.spread, near, strict=True)]
    if len(tally.past) == 2 * far:
        apart = likeness((tally.past[0], tally.past[1]), baseline, far * length, levels)
        tally.spread = [a + b / 3 for a, b in zip(tally.spread, apart, strict=True)]
    tally.past = [*tally.past, *baseline][-2 * far :]


def _negligible(canary: tuple[int, int], share: float, burst_: float) -> float:
    """Log-evidence of one window that the canary's rate is a quarter of `share`, not `share` or more."""
    requests, events = canary
    if burst_ == 0:
        return _QUARTERS * requests * share - events * _LOG4
    most = burst_ * requests * share
    return (events + 1 / burst_) * log((1 + most) / (1 + most / 4)) - events * _LOG4


def _stratum(n_a: int, k_a: int, n_b: int, k_b: int) -> tuple[float, ...]:
    """One window's share of the sums of Mantel and Haenszel (1959), and of Robins, Breslow and Greenland (1986)."""
    n = n_a + n_b
    if not n_a or not n_b or not k_a + k_b:
        return ()
    up, down = k_b * (n_a - k_a) / n, k_a * (n_b - k_b) / n
    same, cross = (k_b + n_a - k_a) / n, (k_a + n_b - k_b) / n
    return up, down, same * up, same * down + cross * up, cross * down
