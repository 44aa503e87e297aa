"""Many days at once: each seed in turn, on every processor; what failed is shrunk, what was covered is counted."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor

import msgspec

from lab.simulator.day import Outcome, play
from lab.simulator.invariants import Broken
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

    def covered(self) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str, str]]]:
        """How often each state was entered and each transition made."""
        states: Counter[tuple[str, str]] = Counter()
        transitions: Counter[tuple[str, str, str]] = Counter()
        for each in self.results:
            states.update(each.states)
            transitions.update(each.transitions)
        return states, transitions

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


def uncovered(stack: Stack, campaign: Campaign) -> Mapping[str, list[str]]:
    """The states of a stack's machines that no day entered, by machine."""
    states, _ = campaign.covered()
    found: dict[str, list[str]] = {}
    for name, machine in stack.machines.items():
        missing = [state for state in states_of(machine.definition) if (name, state) not in states]
        if missing:
            found[name] = missing
    return found


def states_of(definition: Mapping[str, object]) -> list[str]:
    """Every state of a machine, those inside a Map too."""
    return list(_walk(definition))


def _walk(definition: Mapping[str, object]) -> Iterator[str]:
    states = definition["States"]
    assert isinstance(states, dict)
    for name, state in states.items():
        yield name
        if "ItemProcessor" in state:
            yield from _walk(state["ItemProcessor"])
