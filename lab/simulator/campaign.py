"""Many days at once: each seed in turn, on every processor; what failed is shrunk, what was covered is counted."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import msgspec

from lab.simulator.day import Outcome, play
from lab.simulator.invariants import Broken
from lab.simulator.machines import Coverage
from lab.simulator.machines.execution import Machine
from lab.simulator.machines.parse import define
from lab.simulator.plan import Day, draw
from lab.simulator.shrink import shrunk
from lab.simulator.template import Stack


class Result(msgspec.Struct, frozen=True):
    """What is kept of a day. `digest` is its timeline's; `hours` were simulated."""

    seed: int
    broken: tuple[Broken, ...]
    digest: str
    hours: float
    events: int
    states: dict[tuple[str, str], int]
    transitions: dict[tuple[str, str, str], int]
    met: dict[str, int]


class Campaign(msgspec.Struct):
    """The days so far, and how long they took on this machine, in seconds."""

    results: list[Result] = msgspec.field(default_factory=list)
    took: float = 0.0

    @property
    def failed(self) -> list[Result]:
        return [each for each in self.results if each.broken]

    @property
    def days(self) -> float:
        """Simulated days of 24 hours."""
        return sum(each.hours for each in self.results) / 24

    @property
    def pace(self) -> float:
        """Simulated days a minute."""
        return self.days * 60 / max(self.took, 0.001)

    @property
    def events(self) -> int:
        return sum(each.events for each in self.results)

    def covered(self) -> Coverage:
        """How often each state was entered and each transition made, by the machines' short names."""
        found = Coverage()
        for each in self.results:
            found.states.update(each.states)
            found.transitions.update(each.transitions)
        return found

    def met(self) -> Counter[str]:
        """How many calls met each kind of fault."""
        found: Counter[str] = Counter()
        for each in self.results:
            found.update(each.met)
        return found


def result_of(outcome: Outcome) -> Result:
    """What is kept of how a day went."""
    return Result(
        outcome.day.seed,
        outcome.broken,
        outcome.timeline.digest(),
        outcome.hours,
        outcome.events,
        {(kind_of(machine), state): n for (machine, state), n in outcome.covered.states.items()},
        {(kind_of(m), a, b): n for (m, a, b), n in outcome.covered.transitions.items()},
        dict(outcome.met),
    )


def kind_of(machine: str) -> str:
    """A machine's short name: `release` of `candlefish-production-release`."""
    return machine.rpartition("-")[2]


def _one(seed: int) -> Result:
    return result_of(play(draw(seed)))


def run(
    seeds: Iterable[int], told: Callable[[Result], None] = lambda result: None, workers: int = 0
) -> Campaign:
    """Play the days of these seeds; `told` hears of each as it ends, in the order of the seeds."""
    began, campaign = time.monotonic(), Campaign()
    for result in _results(list(seeds), workers or os.cpu_count() or 1):
        campaign.results.append(result)
        campaign.took = time.monotonic() - began
        told(result)
    return campaign


def _results(seeds: list[int], workers: int) -> Iterator[Result]:
    if workers == 1:
        yield from map(_one, seeds)
        return
    # Forked, so that what was imported and loaded here is there at once.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(_one, seeds, chunksize=2)


def smallest(day: Day, broken: Iterable[Broken]) -> Outcome:
    """A failing day with the fewest happenings that break the same."""
    wanted = {each.what for each in broken}

    def fails(shorter: Day) -> bool:
        return bool(wanted & {each.what for each in play(shorter).broken})

    return play(shrunk(day, fails))


def machines_of(stack: Stack) -> list[Machine]:
    """The machines of a stack by their short names, as `Coverage.missing` takes them."""
    return [Machine(each.arn, name, define(each.definition)) for name, each in sorted(stack.machines.items())]
