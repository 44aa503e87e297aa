"""How a tally begins, and begins again: with each release, each step, each stretch, and another belief about noise."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from candlefish.analysis.levels import LEVELS, NO_HISTORY, OUTLIERS, UNLIKELY
from candlefish.analysis.model import Tally
from candlefish.analysis.regressions import POWERS, WANDERING_POWERS, WEIGHTS
from candlefish.analysis.signs import STAKES
from candlefish.analysis.wandering import REACH, Row, stationary
from candlefish.catalog.model import JudgePolicy


def new(policy: JudgePolicy, spread: Sequence[float] = NO_HISTORY, outliers: float = OUTLIERS) -> Tally:
    """A tally with no evidence; `spread` are log-weights of `LEVELS`, `outliers` the share of bad minutes."""
    if policy.comparison == "sign":
        return fresh([0], [0.0], outliers, rise=[[0.0] * len(STAKES)])
    weights = _normalised(spread)
    likely_: list[int] = []
    unlikely: list[int] = []
    for level, weight in enumerate(weights):
        (likely_ if weight > log(UNLIKELY) else unlikely).append(level)
    tally = fresh(likely_, [weights[level] for level in likely_], outliers)
    tally.asleep, tally.asleep_spread = unlikely, [weights[level] for level in unlikely]
    return tally


def fresh(levels: list[int], spread: list[float], outliers: float, rise: list[Row] | None = None) -> Tally:
    """A tally that follows these levels, with these log-weights, and has no evidence."""
    tally = Tally(
        levels=levels,
        spread=spread,
        null=[0.0] * len(levels),
        rise=rise or [_no_rise(level) for level in levels],
        place=[_anywhere(level) for level in levels],
        same=[],
        worse=[],
        departed=[],
        negligible=[],
        asleep=[],
        asleep_spread=[],
        missed=[],
        missed_before=0,
        outliers=outliers,
        against=1.0,
        waiting=0.0,
        past=[],
        total=[0, 0, 0, 0],
        run=[0, 0, 0, 0, 0],
        total_odds=[0.0] * 5,
        run_odds=[0.0] * 5,
    )
    begin_step(tally)
    return tally


def begin_step(tally: Tally) -> None:
    """Begin a step of the release: evidence against the canary stays, evidence for it starts again."""
    number = len(tally.levels)
    tally.same, tally.worse, tally.negligible = [0.0] * number, [0.0] * number, [0.0] * number
    tally.departed = [list(place) for place in tally.place]
    tally.missed_before = len(tally.missed) // 4
    tally.total, tally.total_odds = [0, 0, 0, 0], [0.0] * 5


def begin_stretch(tally: Tally, start: float) -> None:
    """Begin to follow what speaks against the canary anew."""
    tally.run, tally.run_odds, tally.run_since = [0] * 5, [0.0] * 5, start


def respread(tally: Tally, policy: JudgePolicy, spread: Sequence[float]) -> None:
    """Go on under another belief about noise; the evidence so far is kept as one number a ratio."""
    if policy.comparison == "sign":
        return
    weights = likely(tally)
    steady = [(w, row) for w, row, at in zip(weights, tally.rise, tally.place, strict=True) if not at]
    share = sum(w for w, _ in steady)
    mean = [sum(w * row[i] for w, row in steady) / share for i in range(len(WEIGHTS))] if steady else None
    anew = fresh(list(range(len(LEVELS))), _normalised(spread), tally.outliers)
    tally.levels, tally.spread, tally.null = anew.levels, anew.spread, anew.null
    tally.place, tally.past, tally.missed = anew.place, [], []
    tally.asleep, tally.asleep_spread = [], []
    tally.rise = anew.rise if mean is None else [_carried(mean, level) for level in anew.levels]
    begin_step(tally)


def likely(tally: Tally) -> list[float]:
    """Probability of each level of noise that is left (`tally.levels`), given everything seen."""
    if len(tally.levels) == 1:
        return [1.0]
    return softmax([a + b for a, b in zip(tally.spread, tally.null, strict=True)])


def _no_rise(level: int) -> Row:
    if not LEVELS[level].spread:
        return [0.0] * len(WEIGHTS)
    return [0.0] * (len(WANDERING_POWERS) * (2 * REACH + 1))


def _anywhere(level: int) -> Row:
    return stationary(LEVELS[level].spread) if LEVELS[level].spread else []


def _carried(mean: Sequence[float], level: int) -> Row:
    if not LEVELS[level].spread:
        return list(mean)
    nearest = [min(range(len(POWERS)), key=lambda i: abs(POWERS[i] - power)) for power in WANDERING_POWERS]
    return [mean[i] * share for i in nearest for share in _anywhere(level)]


# --- numbers ------------------------------------------------------------------------------------


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum of what these are the logarithms of."""
    top = max(logs)
    return top + log(sum([exp(one - top) for one in logs]))


def softmax(logs: Sequence[float]) -> list[float]:
    """Probabilities from log-weights."""
    top = max(logs)
    weights = [exp(one - top) for one in logs]
    total = sum(weights)
    return [one / total for one in weights]


def _normalised(logs: Sequence[float]) -> list[float]:
    total = log_sum(logs)
    return [one - total for one in logs]
