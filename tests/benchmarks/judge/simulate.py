"""Simulated traffic: what two versions of a service report, window by window.

One window is a minute. A *burst* multiplies the error rate of one arm in one window by a gamma
variable with mean 1 and the given squared coefficient of variation, independently of the other arm:
errors that come in clumps. Everything else is common to both arms.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from tests.benchmarks.judge.counts import Counts, Floats, Traffic

WINDOWS = 60
HISTORY = 120
GROSS = 0.5

Mode = Literal["steady", "swing", "spike", "bursts 0.1", "bursts 1"]
MODES: tuple[Mode, ...] = ("steady", "swing", "spike", "bursts 0.1", "bursts 1")
BURST = {"bursts 0.1": 0.1, "bursts 1": 1.0}
# Windows that a common tenfold spike of errors lasts.
SPIKE = 5


class Cell(NamedTuple):
    """One combination of the grid. `canary` multiplies the error rate; None is half of all requests."""

    mode: Mode
    rate: int
    weight: float
    base: float
    canary: float | None = 1.0
    begins: int = 0

    @property
    def healthy(self) -> bool:
        return self.canary == 1.0


def releases(cell: Cell, number: int, rng: np.random.Generator) -> Traffic:
    """Traffic of so many releases of a cell."""
    base, rate = _common(cell, number, WINDOWS, rng)
    requests = rng.poisson(rate)
    canary = rng.binomial(requests, cell.weight)
    worse = base.copy()
    if cell.canary is None:
        worse[:, cell.begins :] = GROSS
    else:
        worse[:, cell.begins :] *= cell.canary
    baseline = requests - canary
    errors = _errors(baseline, base, cell, rng), _errors(canary, worse, cell, rng)
    return Traffic(baseline, errors[0], canary, errors[1])


def history(cell: Cell, number: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Requests and errors of the two hours before each release, all on the old version."""
    base, rate = _common(cell, number, HISTORY, rng)
    requests = rng.poisson(rate)
    return requests, _errors(requests, base, cell, rng)


def _common(cell: Cell, number: int, windows: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    base = np.full((number, windows), cell.base)
    rate = np.full((number, windows), float(cell.rate))
    if cell.mode == "swing":
        # A day's swing of half the mean, caught at any hour; load and error rate rise together.
        phase = rng.uniform(0, 2 * np.pi, (number, 1))
        swing = 1 + 0.5 * np.sin(2 * np.pi * np.arange(windows) / 1440 + phase)
        base, rate = base * swing, rate * swing
    if cell.mode == "spike":
        first = rng.integers(0, windows, (number, 1))
        moment = np.arange(windows)
        base = np.where((moment >= first) & (moment < first + SPIKE), base * 10, base)
    return base, rate


def _errors(requests: Counts, share: Floats, cell: Cell, rng: np.random.Generator) -> Counts:
    burst = BURST.get(cell.mode)
    if burst:
        share = share * rng.gamma(1 / burst, burst, share.shape)
    return rng.binomial(requests, np.minimum(share, 1.0))
