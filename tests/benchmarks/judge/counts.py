"""What judges are given: counts of many releases at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Stream(NamedTuple):
    """One stream of many releases, and of the hours before each: arrays of shape (releases, windows)."""

    n_a: Counts
    k_a: Counts
    n_b: Counts
    k_b: Counts
    past_n: Counts
    past_k: Counts
