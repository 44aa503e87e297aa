"""The sign test, for a fresh baseline of the canary's size and age: only who was worse counts.

It needs nothing but that the two arms could be swapped, however errors clump.
"""

from __future__ import annotations

from math import log1p

from candlefish.analysis.model import Tally
from candlefish.catalog.model import JudgePolicy

# Stakes: e = 1 + stake when the canary's window is the worse one, else 1 - stake.
STAKES = (0.3, 0.6, 0.9)
# Arms whose loads differ by more than this are not exchangeable.
_SAME_SIZE = 1.5


def update_signs(
    tally: Tally, policy: JudgePolicy, baseline: tuple[int, int], canary: tuple[int, int], prior: float
) -> float:
    """Consume one window; returns the log-likelihood ratio that the stretch is followed with."""
    low, high = sorted((baseline[0], canary[0]))
    if low <= 0 or high > _SAME_SIZE * low:
        tally.rise[0] = [s + prior for s in tally.rise[0]]
        return 0.0
    old, now = baseline[1] / baseline[0], canary[1] / canary[0]
    worse = (now > policy.margin * old) - (now < policy.margin * old)
    better = (now < policy.tolerance * old) - (now > policy.tolerance * old)
    tally.rise[0] = [
        (s + prior) * (1 + stake * worse) for s, stake in zip(tally.rise[0], STAKES, strict=True)
    ]
    tally.same[0] += log1p(0.6 * better)
    return log1p(0.6 * worse)
