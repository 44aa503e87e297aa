"""Two equal versions whose error rates wander apart for minutes: a hot Pod, a slow zone.

The log of the odds ratio is then an autoregressive process around 0 instead of 0 itself. It is followed on a grid,
window by window, as a hidden Markov chain: predict where it has gone, weigh by the window's likelihood. So ten bad
minutes that hang together count as one bad spell, which is what they are.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log

# Distance of two points of the grid, in the log of the odds ratio.
STEP = log(1.6)
# The grid reaches this far to either side: a factor of six and a half.
REACH = 4
# What of a departure is left a minute later.
MEMORY = 0.9
# Standard deviations of the log odds ratio that are told apart.
SPREADS = (0.45, 0.8)

Row = list[float]


def stationary(spread: float) -> Row:
    """Where the ratio is when nothing has been seen."""
    weights = [exp(-0.5 * (place * STEP / spread) ** 2) for place in range(-REACH, REACH + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def moved(row: Row, spread: float, length: float) -> Row:
    """Where it has gone after a window of so many seconds."""
    a, b, c, d, e, f, g, h, i = row
    down, stay, up = _moves(spread, length)
    # Written out: it is the innermost loop of a look.
    return [
        a * stay[0] + b * down[1],
        a * up[0] + b * stay[1] + c * down[2],
        b * up[1] + c * stay[2] + d * down[3],
        c * up[2] + d * stay[3] + e * down[4],
        d * up[3] + e * stay[4] + f * down[5],
        e * up[4] + f * stay[5] + g * down[6],
        f * up[5] + g * stay[6] + h * down[7],
        g * up[6] + h * stay[7] + i * down[8],
        h * up[7] + i * stay[8],
    ]


@lru_cache(maxsize=32)
def _moves(spread: float, length: float) -> tuple[Row, Row, Row]:
    """Chances of a step down, none, a step up from each place, with the process's mean and variance."""
    kept = MEMORY ** (length / 60)
    variance = spread * spread * (1 - kept * kept) / (STEP * STEP)
    down, stay, up = [], [], []
    for place in range(-REACH, REACH + 1):
        drift = -(1 - kept) * place
        square = variance + drift * drift
        lower = min(1.0, max(0.0, (square - drift) / 2)) if place > -REACH else 0.0
        upper = min(1.0 - lower, max(0.0, (square + drift) / 2)) if place < REACH else 0.0
        down.append(lower)
        up.append(upper)
        stay.append(1 - lower - upper)
    return down, stay, up
