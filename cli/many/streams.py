"""Counts of many streams: a row a stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from candlefish.analysis import evidence, regressions
from candlefish.analysis.levels import LEVELS
from cli.many.likelihoods import Floats

Rows = NDArray[np.intp]
# The levels of noise at which windows are independent, and those at which versions wander apart.
EVENS = tuple(at for at, level in enumerate(LEVELS) if not level.spread)
WANDERERS = tuple(at for at, level in enumerate(LEVELS) if level.spread)


class Pairs(NamedTuple):
    """How much of each stream both versions had in a window, and how much of it was bad."""

    n_a: Floats
    k_a: Floats
    n_b: Floats
    k_b: Floats

    def at(self, rows: Rows) -> Pairs:
        """The same of some rows."""
        return Pairs(*(counts[rows] for counts in self))


def negligible(pairs: Pairs, share: float, burst: float) -> Floats:
    """`evidence._negligible`."""
    if not burst:
        return evidence._QUARTERS * pairs.n_b * share - pairs.k_b * evidence._LOG4
    most = burst * pairs.n_b * share
    found: Floats = (pairs.k_b + 1 / burst) * np.log((1 + most) / (1 + most / 4)) - pairs.k_b * evidence._LOG4
    return found


_known = np.array([regressions.unreleased(0)])


def unreleased(windows: Rows) -> Floats:
    """`regressions.unreleased`."""
    global _known
    if len(windows) and windows.max() >= len(_known):
        _known = np.array([regressions.unreleased(at) for at in range(2 * int(windows.max()) + 64)])
    found: Floats = _known[windows]
    return found
