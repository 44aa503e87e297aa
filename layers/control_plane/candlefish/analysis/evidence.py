"""Evidence about one metric, window by window: e-processes that may be looked at at any time.

For each level of burstiness and each odds ratio of a grid, a window's e-value is the likelihood
ratio against a canary that is just tolerable. The ratio rises with the canary's share of errors, so
it is an e-value against *every* tolerable canary, not just that one.

*Any start.* A regression may begin at any window. `S := (S + prior) x e` sums over all starts at the
cost of one float per grid point; clean windows then carry no debt.

*Unknown bursts.* Every level of burstiness runs in parallel. They are weighed by how well each
explains what was seen under the null: the baseline against itself, and the canary against the
baseline. So the evidence is a ratio of two Bayesian marginal likelihoods.

*The level.* Under a tolerable canary the evidence passes 1/alpha with probability alpha at most when
the burstiness is known (Ville 1939). When it is not, the bound is alpha over the prior of the true
level (the numerator is a density; the denominator holds that level's likelihood with its prior), so
0.02 to 0.07 at alpha 0.01 and without history; what it comes to is in docs/judge.md, under 0.003.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, fsum, inf, log, log1p, log2

from candlefish.analysis.likelihood import BURSTS, log_likelihoods, log_split, slack
from candlefish.analysis.model import Tally
from candlefish.catalog.model import JudgePolicy

# Odds ratios that are looked for, in multiples of the margin, and how likely each is beforehand.
# Gross failures speak for themselves and need little.
RISES = (1.25, 1.7, 2.5, 4.0, 8.0, 25.0, 80.0)
WEIGHTS = (0.12, 0.22, 0.26, 0.2, 0.12, 0.05, 0.03)
# Stakes of the sign test: e = 1 + stake when the canary's window is the worse one, else 1 - stake.
STAKES = (0.3, 0.6, 0.9)
_EQUAL = (1 / len(STAKES),) * len(STAKES)
# A service without history may be anything, from perfectly even to wildly bursty (log-weights of BURSTS).
NO_HISTORY = (log(0.4), log(0.25), log(0.15), log(0.2))

# Logarithm of nothing, for JSON has no infinity.
_NOT_YET = _RULED_OUT = -1e9
# A level of burstiness less likely than this whose evidence could not move the sum is given up.
_NEVER, _NOTHING = log(1e-5), log(1e-2)
# Above this a prior of the order of 1 is lost in a sum of floats.
_MUCH = 40.0
_SLACKS = tuple(slack(burst) for burst in BURSTS)
# Half of all regressions are there from the start; the other half may begin at any time.
_AT_ONCE = 0.5
# Arms whose loads differ by more than this are not exchangeable.
_SAME_SIZE = 1.5


def unreleased(windows: int) -> float:
    """Prior probability that a regression begins after so many windows.

    Half at the first one, the rest log-uniform over half-hours and beyond, so that no horizon has
    to be known: window 21 costs 5 nats, window 1,440 costs 11.
    """
    return 1.0 if windows == 0 else (1 - _AT_ONCE) / (1 + log2(1 + windows / 30))


def new(policy: JudgePolicy, spread: Sequence[float] = NO_HISTORY) -> Tally:
    """A tally with no evidence; `spread` are log-weights of `BURSTS`."""
    levels, grid = (1, len(STAKES)) if policy.comparison == "sign" else (len(BURSTS), len(RISES))
    return Tally(
        rise=[[_NOT_YET] * grid for _ in range(levels)],
        spread=[0.0] if policy.comparison == "sign" else _normalised(spread),
        null=[0.0] * levels,
        same=[0.0] * levels,
        worse=[0.0] * levels,
        negligible=[0.0] * levels,
        last=[0, 0],
        total=[0, 0, 0, 0],
        run=[0, 0, 0, 0, 0],
        total_odds=[0.0] * 5,
        run_odds=[0.0] * 5,
    )


def begin_step(tally: Tally) -> None:
    """Begin a step of the release: evidence against the canary stays, evidence for it starts again."""
    levels = len(tally.null)
    tally.same, tally.worse, tally.negligible = [0.0] * levels, [0.0] * levels, [0.0] * levels
    tally.total, tally.total_odds = [0, 0, 0, 0], [0.0] * 5


def respread(tally: Tally, spread: Sequence[float]) -> None:
    """Go on under another belief about bursts; the evidence so far is kept as one number."""
    weights = [a + b for a, b in zip(tally.spread, tally.null, strict=True)]
    total = _log_sum(weights)
    columns = zip(*tally.rise, strict=True)
    mean = [_log_sum([w - total + s for w, s in zip(weights, column, strict=True)]) for column in columns]
    tally.rise = [list(mean) for _ in tally.rise]
    tally.null = [0.0] * len(tally.null)
    tally.last = [0, 0]
    if len(tally.spread) > 1:
        tally.spread = _normalised(spread)


def update(
    tally: Tally,
    policy: JudgePolicy,
    baseline: tuple[int, int],
    canary: tuple[int, int],
    windows: int,
    start: float,
    recorded: bool = False,
) -> None:
    """Consume one window of (requests, events) on both sides; `windows` came before it.

    A recorded baseline does not teach how bursty it is now, let alone how it drifts over hours.
    """
    prior = unreleased(windows) - unreleased(windows + 1)
    if policy.comparison == "sign":
        step = _signs(tally, policy, baseline, canary, prior)
    else:
        step = _odds(tally, policy, baseline, canary, prior)
        if tally.last[0] and not recorded:
            for level, one in enumerate(log_split((tally.last[0], tally.last[1]), baseline)):
                # Each window is in two pairs, so each pair counts half.
                tally.spread[level] += one / 2
    tally.last = list(baseline)
    tally.total = [a + b for a, b in zip(tally.total, (*baseline, *canary), strict=True)]
    odds = _stratum(*baseline, *canary)
    tally.total_odds = [a + b for a, b in zip(tally.total_odds, odds, strict=True)]
    _follow(tally, (*baseline, *canary, 1), odds, step, start)


def likely(tally: Tally) -> list[float]:
    """Probability of each level of burstiness, given everything seen."""
    return _softmax([a + b for a, b in zip(tally.spread, tally.null, strict=True)])


def burst(tally: Tally) -> float:
    """Burstiness of the baseline: squared coefficient of variation of an arm's rate in a window."""
    weights = _softmax(tally.spread)
    return fsum(w * b for w, b in zip(weights, BURSTS, strict=True)) if len(weights) > 1 else 0.0


def against(tally: Tally, windows: int) -> float:
    """Evidence that the canary is worse than tolerated; at least 1/alpha decides."""
    left = unreleased(windows)
    grid = _EQUAL if len(tally.rise[0]) == len(STAKES) else WEIGHTS
    weights = [a + b for a, b in zip(tally.spread, tally.null, strict=True)]
    sums = []
    for weight, row in zip(weights, tally.rise, strict=True):
        if weight > _RULED_OUT / 2:
            top = max(0.0, *row)
            inner = left * exp(-top) + sum([w * exp(s - top) for w, s in zip(grid, row, strict=True)])
            sums.append(weight + top + log(inner))
    return exp(min(_log_sum(sums) - _log_sum(weights), 600.0))


def in_favour(tally: Tally) -> float:
    """Evidence that the canary is tolerable: as good as the baseline, or negligible in itself.

    Intolerable means both worse than `tolerance` times the baseline's odds *and* more than a
    `negligible` share of the requests, so the mean of evidence against either is evidence enough.
    """
    weights = likely(tally)
    same = _log_sum([a + b for a, b in zip(tally.spread, tally.same, strict=True)])
    worse = _log_sum([a + b for a, b in zip(tally.spread, tally.worse, strict=True)])
    negligible = fsum(w * exp(min(one, 500.0)) for w, one in zip(weights, tally.negligible, strict=True))
    return (exp(min(same - worse, 500.0)) + negligible) / 2


# --- one window ---------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _grid(margin: float, tolerance: float) -> tuple[float, ...]:
    return (margin, 1.0, tolerance, *(margin * rise for rise in RISES))


def _odds(
    tally: Tally, policy: JudgePolicy, baseline: tuple[int, int], canary: tuple[int, int], prior: float
) -> float:
    """The hypergeometric e-values; returns the log-likelihood ratio the stretch is followed with."""
    if baseline[1] + canary[1] == 0 or baseline[0] <= 0 or canary[0] <= 0:
        tally.rise = [[_started(s, prior) for s in row] for row in tally.rise]
        for level, burst_ in enumerate(BURSTS):
            tally.negligible[level] += _negligible(canary, policy.negligible, burst_)
        return 0.0
    odds = _grid(policy.margin, policy.tolerance)
    weights = [a + b for a, b in zip(tally.spread, tally.null, strict=True)]
    total = _log_sum(weights)
    step, best = 0.0, -inf
    for level, burst_ in enumerate(BURSTS):
        row, weight = tally.rise[level], weights[level] - total
        if weight < _NEVER and weight + max(row) < _NOTHING:
            # Ruled out, and without a say in the sum: no more work for it.
            tally.spread[level] = _RULED_OUT
            continue
        logs = log_likelihoods(baseline, canary, odds, burst_)
        base = logs[0] + _SLACKS[level]
        tally.null[level] += logs[0]
        tally.same[level] += logs[1] - _SLACKS[level]
        tally.worse[level] += logs[2]
        tally.rise[level] = [
            (s if s > _MUCH else log(exp(s) + prior)) + x - base for s, x in zip(row, logs[3:], strict=True)
        ]
        tally.negligible[level] += _negligible(canary, policy.negligible, burst_)
        if tally.spread[level] + tally.null[level] > best:
            best, step = tally.spread[level] + tally.null[level], logs[4] - logs[0]
    return step


def _started(log_sum: float, prior: float) -> float:
    """log(S + prior) from log S."""
    return log_sum if log_sum > _MUCH else log(exp(log_sum) + prior)


def _negligible(canary: tuple[int, int], share: float, burst_: float) -> float:
    """Log-evidence of one window that the canary's rate is a quarter of `share`, not `share` or more."""
    requests, events = canary
    most, quarter = requests * share, requests * share / 4
    if burst_ == 0:
        return most - quarter - events * _LOG4
    return (events + 1 / burst_) * (log1p(burst_ * most) - log1p(burst_ * quarter)) - events * _LOG4


def _signs(
    tally: Tally, policy: JudgePolicy, baseline: tuple[int, int], canary: tuple[int, int], prior: float
) -> float:
    """The sign test: needs nothing but that the two arms could be swapped, however errors clump."""
    low, high = sorted((baseline[0], canary[0]))
    if low <= 0 or high > _SAME_SIZE * low:
        tally.rise[0] = [_started(s, prior) for s in tally.rise[0]]
        return 0.0
    old, now = baseline[1] / baseline[0], canary[1] / canary[0]
    worse = (now > policy.margin * old) - (now < policy.margin * old)
    better = (now < policy.tolerance * old) - (now > policy.tolerance * old)
    tally.rise[0] = [
        _started(s, prior) + log1p(stake * worse) for s, stake in zip(tally.rise[0], STAKES, strict=True)
    ]
    tally.same[0] += log1p(0.6 * better)
    tally.negligible[0] += _negligible(canary, policy.negligible, BURSTS[-1])
    return log1p(0.6 * worse)


def _stratum(n_a: int, k_a: int, n_b: int, k_b: int) -> tuple[float, ...]:
    """One window's share of the sums of Mantel and Haenszel (1959), and of Robins, Breslow and Greenland (1986)."""
    n = n_a + n_b
    if not n_a or not n_b:
        return (0.0,) * 5
    up, down = k_b * (n_a - k_a) / n, k_a * (n_b - k_b) / n
    same, cross = (k_b + n_a - k_a) / n, (k_a + n_b - k_b) / n
    return up, down, same * up, same * down + cross * up, cross * down


def _follow(
    tally: Tally, counts: tuple[int, ...], odds: tuple[float, ...], step: float, start: float
) -> None:
    """Keep the stretch of windows that speaks against the canary, for the operator to read."""
    if tally.run_log <= 0:
        tally.run, tally.run_odds, tally.run_since = [0] * 5, [0.0] * 5, start
    tally.run_log = max(0.0, tally.run_log + step)
    tally.run_odds = [a + b for a, b in zip(tally.run_odds, odds, strict=True)]
    tally.run = [a + b for a, b in zip(tally.run, counts, strict=True)]


# --- numbers ------------------------------------------------------------------------------------

_LOG4 = log(4.0)


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + log(sum([exp(one - top) for one in logs]))


def _softmax(logs: Sequence[float]) -> list[float]:
    top = max(logs)
    weights = [exp(one - top) for one in logs]
    total = sum(weights)
    return [one / total for one in weights]


def _normalised(logs: Sequence[float]) -> list[float]:
    total = _log_sum(logs)
    return [one - total for one in logs]
