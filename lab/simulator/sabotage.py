"""Faults put back on purpose: what the product guards against is taken away, and the days must notice.

A simulator that finds nothing proves nothing. Each sabotage removes one safeguard; `hunt` says how many seeds
it takes until an invariant is broken. What several fences keep from the cluster one by one (a late retirement, a late
deploy) no day shows; the exploration takes those away (`tests/exploration/broken.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import msgspec

from candlefish.release import reconcile_cluster, restore_traffic, retire_slot, traffic_repairs
from candlefish.release.drain import Drain
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord
from candlefish.signals import record as guard
from candlefish.traffic import shift
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import Converged
from lab.simulator import deployment, weather
from lab.simulator.campaign import run
from lab.simulator.template import Machine

Sabotage = Callable[[ExitStack], None]


def _no_read_back(stack: ExitStack) -> None:
    def converge(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
        rules.write(record.rule, record.weights_by_target_group())
        return Converged(record, 1)

    def no_repair(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
        return Converged(record, 0)

    for module in (shift, restore_traffic):
        stack.enter_context(patch.object(module, "converge", converge))
    # Without a look the reconciler and the last look of a rollback see nothing either.
    for name in ("candlefish.release.reconcile_traffic", "candlefish.release.finish_rollback"):
        stack.enter_context(patch(f"{name}.repair_drift", no_repair))


def _no_fencing(stack: ExitStack) -> None:
    for name in ("candlefish.service.record", "candlefish.release.context"):
        stack.enter_context(patch(f"{name}.require_generation", lambda record, generation: None))


def _scale_down_before_drain(stack: ExitStack) -> None:
    at_once = Drain(True, "nobody looked")
    stack.enter_context(patch.object(retire_slot, "is_drained", lambda *args, **more: at_once))


def _no_takeover(stack: ExitStack) -> None:
    for name in ("_dead_release", "_dead_rollback"):
        stack.enter_context(patch.object(traffic_repairs, name, lambda *args: []))


def _swallowing_catch(stack: ExitStack) -> None:
    def definition_of(machine: Machine) -> dict[str, Any]:
        if machine.name != "release":
            return machine.definition
        changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(machine.definition))
        for catcher in changed["States"]["Analysis"]["Catch"]:
            catcher["Next"] = "NextStep"
        return changed

    stack.enter_context(patch.object(deployment, "definition_of", definition_of))


def _schedule_twice(stack: ExitStack) -> None:
    """What schedules and buses deliver comes twice, and nothing remembers what was acted on already."""
    stack.enter_context(patch.object(weather.Forecast, "copies", lambda self, what: 2))
    for name in ("cooldown_of", "own_claim"):
        stack.enter_context(patch.object(guard, name, lambda *args, **more: None))


def _nobody_looks_at_the_cluster(stack: ExitStack) -> None:
    stack.enter_context(patch.object(reconcile_cluster, "needed_cluster_repairs", lambda *args, **more: []))


# What breaks without it: an invariant of another kind is another find.
SABOTAGES: Mapping[str, tuple[Sabotage, frozenset[str]]] = {
    "no read-back": (_no_read_back, frozenset({"I3", "I4"})),
    "no fencing": (_no_fencing, frozenset({"I1", "I2", "I3", "I4", "I5", "stuck", "unfinished"})),
    "scale-down before drain": (_scale_down_before_drain, frozenset({"I5"})),
    "a lease without takeover": (_no_takeover, frozenset({"stuck", "unfinished"})),
    "a Catch that swallows": (_swallowing_catch, frozenset({"promoted"})),
    "a schedule that fires twice": (_schedule_twice, frozenset({"I8"})),
    "nobody looks at the cluster": (_nobody_looks_at_the_cluster, frozenset({"stuck"})),
}


class Hunt(msgspec.Struct, frozen=True):
    """How a sabotage was found: after how many seeds, and what it broke. `seeds` is 0 when it was not."""

    name: str
    seeds: int
    broken: str


@contextmanager
def sabotaged(name: str) -> Iterator[None]:
    """The product without one of its safeguards."""
    with ExitStack() as stack:
        SABOTAGES[name][0](stack)
        yield


def hunt(name: str, most: int, first: int = 1, at_once: int = 8, workers: int = 0) -> Hunt:
    """Play days until one notices the sabotage, at most that many."""
    with sabotaged(name):
        for begin in range(first, first + most, at_once):
            for result in run(range(begin, begin + at_once), workers=workers).results:
                for each in result.broken:
                    if each.what in SABOTAGES[name][1]:
                        return Hunt(name, result.seed - first + 1, f"{each.what}: {each.why}")
    return Hunt(name, 0, "")
