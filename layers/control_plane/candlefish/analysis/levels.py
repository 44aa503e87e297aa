"""How two equal versions may differ: the levels of noise that are told apart, and what each would show.

Errors come in *bursts* (each arm's rate is multiplied, window by window, by something of its own) or the versions
*wander* apart for minutes at a time. Nobody knows beforehand which a service does; its history and the baseline's own
windows say so, by how alike neighbouring windows are, and windows that lie further apart.
"""

from __future__ import annotations

from functools import lru_cache
from math import log

import msgspec

from candlefish.analysis.counts import Counts
from candlefish.analysis.likelihood import BURSTS, log_split
from candlefish.analysis.wandering import MEMORY, SPREADS

# Seconds between windows whose likeness tells wandering from bursts: in the history, and while a release runs.
FAR, NEARBY = 720.0, 360.0


class NoiseLevel(msgspec.Struct, frozen=True):
    """One way to differ: `burst` is a squared coefficient of variation, `spread` that of a wandering log ratio."""

    burst: float = 0.0
    spread: float = 0.0

    def apart(self, seconds: float) -> float:
        """Squared coefficient of variation of one arm between windows so many seconds apart."""
        if not self.spread:
            return self.burst
        left = float(MEMORY ** (seconds / 60))
        return round(self.spread * self.spread / 2 * (1 - left), 4)


LEVELS = (*(NoiseLevel(burst=burst) for burst in BURSTS), *(NoiseLevel(spread=spread) for spread in SPREADS))
# A service without history may be anything, from perfectly even to wildly bursty (log-weights).
NO_HISTORY = tuple(log(share) for share in (0.48, 0.2, 0.13, 0.1, 0.04, 0.03, 0.02))
# How often an arm has a bad minute of its own: a Pod that restarts, a garbage collection. Without history, and the
# windows' worth of doubt that remains with it.
OUTLIERS = 0.01
DOUBT = 150
# A level that the history makes less likely than this is not followed until something speaks against the canary:
# to so much evidence to one. Then it joins, with all windows that it missed, up to so many.
UNLIKELY, AWAKE, MISSED = 0.02, 2.0, 240


def likeness(first: Counts, second: Counts, seconds: float, levels: tuple[int, ...]) -> list[float]:
    """Log-likelihood, at each of some levels, of two windows of one arm so many seconds apart."""
    return log_split(first, second, _apart(seconds, levels))


@lru_cache(maxsize=256)
def _apart(seconds: float, levels: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(LEVELS[level].apart(seconds) for level in levels)
