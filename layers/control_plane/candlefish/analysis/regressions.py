"""The regressions that are looked for: how bad, since when, and how likely each is beforehand."""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, log2

from candlefish.analysis.model import Tally
from candlefish.analysis.wandering import REACH, STEP
from candlefish.catalog.model import JudgePolicy

# Odds ratios that are looked for, as powers of 1.5 times the margin, and how likely each is beforehand.
# Gross failures speak for themselves and need little.
POWERS = (1, 2, 3, 5, 8, 11)
# The last one is whatever the windows before have shown, for sizes that lie between.
WEIGHTS = (0.18, 0.22, 0.2, 0.16, 0.08, 0.05, 0.11)
RISES = tuple(1.5**power for power in POWERS)
SHOWN_LEAST, SHOWN_FIRST, SHOWN_MOST = 1.4, 2.5, 500.0
# Where versions wander apart by themselves, a departure is a regression this much less likely; fewer are looked for, as
# powers of the grid's step.
WANDERING_SHARE = 0.04
WANDERING_POWERS = (2, 4, 8)
_WANDERING_WEIGHTS = tuple(WANDERING_SHARE * share for share in (0.5, 0.3, 0.2))
_FIRST, _LAST = -REACH, WANDERING_POWERS[-1] + REACH

# Half of all regressions are there from the start; the other half may begin at any time.
_AT_ONCE = 0.5


def unreleased(windows: int) -> float:
    """Prior probability that a regression begins after so many windows.

    Half at the first one, the rest log-uniform over half-hours and beyond, so that no horizon has
    to be known: window 21 costs 5 nats, window 1,440 costs 11.
    """
    return 1.0 if windows == 0 else (1 - _AT_ONCE) / (1 + log2(1 + windows / 30))


@lru_cache(maxsize=64)
def ratios(margin: float, tolerance: float) -> tuple[float, ...]:
    """Odds ratios at which a window is looked at: just tolerable, as good, intolerable, and what is looked for."""
    return (margin, 1.0, tolerance, *(margin * rise for rise in RISES))


@lru_cache(maxsize=64)
def wandering_ratios(margin: float) -> tuple[float, ...]:
    """Odds ratios at which it is looked at where versions wander: every place, and as far beyond as regressions reach."""
    return tuple(margin * exp(STEP * power) for power in range(_FIRST, _LAST + 1))


def ratio_shown(tally: Tally, policy: JudgePolicy) -> float:
    """The odds ratio of the stretch so far, to the next twentieth of its logarithm (so that few are computed with)."""
    up, down = tally.run_odds[:2]
    ratio = exp(round(20 * log(up / down)) / 20) if up and down else SHOWN_FIRST
    return min(max(ratio, SHOWN_LEAST * policy.margin), SHOWN_MOST)


def tolerated(policy: JudgePolicy) -> int:
    """By how many of the grid's steps an intolerable canary is away from its place; the tolerance is rounded to it."""
    return max(1, min(WANDERING_POWERS[-1], round(log(policy.tolerance / policy.margin) / STEP)))


@lru_cache(maxsize=1)
def wide_weights() -> tuple[float, ...]:
    """How likely each regression is beforehand where versions wander, for every place."""
    return tuple(share for share in _WANDERING_WEIGHTS for _ in range(2 * REACH + 1))
