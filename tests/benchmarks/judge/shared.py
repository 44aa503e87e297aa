"""Troubles that both versions have, minute by minute, with the experiment as the product makes it.

A canary that breaks what both versions share, or a world that breaks it; what is decided by the product's own pure
functions, late by what CloudWatch is late: a window counts two minutes after it ended.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from candlefish.analysis.experiment import after_trial, begin_trial, conclude, look_at
from candlefish.analysis.model import Arm, Window
from candlefish.analysis.trouble import first_monitor, observe
from tests.benchmarks.judge.worlds import HISTORY, WINDOWS, Noise, calm

MINUTE = 60.0
LATE = 2
# Experiments a release, and the minutes that one may take at most.
MOST, LONGEST = 2, 10


class Shared(NamedTuple):
    """Both versions fail that share of their requests from minute 11 on: while the canary has traffic, or for so long."""

    name: str
    fails: float
    by_canary: bool = True
    lasts: int = WINDOWS
    rate: int = 6000
    weight: float = 0.1
    base: float = 0.003
    common: Noise = calm


BEGINS = 10


class Played(NamedTuple):
    """What came of one release: minutes from the beginning of the trouble until users were free of it; whether the
    canary was rolled back; how many experiments there were."""

    minutes: int | None
    rolled_back: bool
    experiments: int


def play(world: Shared, rng: np.random.Generator) -> Played:
    """One release, minute by minute."""
    common = world.base * world.common(1, HISTORY + WINDOWS, rng)[0]
    past = [_window(rng, at - HISTORY, world.rate, 0, float(common[at])) for at in range(HISTORY)]
    monitor = first_monitor(past, MINUTE)
    served: list[Window] = []
    out_since = trial = None
    experiments, free = 0, None
    for at in range(WINDOWS):
        on = out_since is None
        broken = at >= BEGINS and at < BEGINS + world.lasts and (on or not world.by_canary)
        if at >= BEGINS:
            free = (None if broken else at - BEGINS) if free is None or broken else free
        share = world.fails if broken else float(common[HISTORY + at])
        canary = rng.binomial(world.rate, world.weight) if on else 0
        served.append(_window(rng, at, world.rate - canary, canary, share))
        seen = at - LATE
        if seen < 0:
            continue
        if trial is None:
            if served[seen].canary.requests:
                monitor = observe(monitor, served[seen])
            if monitor.trouble is not None and experiments < MOST and on:
                # The weight is 0 from the next minute on.
                experiments, out_since = experiments + 1, at + 1
                trial = begin_trial(monitor, MINUTE * out_since)
            continue
        assert out_since is not None
        trial = look_at(trial, served[seen])
        said = conclude(trial, over=at - out_since >= LONGEST)
        if said is None:
            continue
        if said.outcome == "recovered":
            return Played(free, True, experiments)
        monitor, trial, out_since = after_trial(monitor, said), None, None
    return Played(free, False, experiments)


def _window(rng: np.random.Generator, at: int, baseline: int, canary: int, share: float) -> Window:
    arms = (Arm(n, int(rng.binomial(n, min(1.0, share)))) for n in (baseline, canary))
    return Window(MINUTE * at, MINUTE * at + MINUTE, *arms)
