"""Explores a scenario: the search, what must never happen, what must be so at rest."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.exploration.actors import Troupe
from tests.exploration.moves import Moves
from tests.exploration.product import product
from tests.exploration.rest import Rest
from tests.exploration.scenarios import Scenario
from tests.exploration.search import Found, search
from tests.exploration.subject import record_of
from tests.exploration.world import State

# The first so many fields of a budget are what may go wrong.
MISHAPS = 4
# Functions that write weights: while one is at work the rule may differ from the record.
WEIGHERS = (
    "shift_weights",
    "handle_signal",
    "request_release",
    "restore_traffic",
    "finish_rollback",
    "reconcile_traffic",
)


BUG = "a bug: "


@dataclass
class Explored:
    """What came of a scenario. `seconds` are for people."""

    found: Found[State]
    seconds: float
    visited: set[tuple[str, str]] = field(default_factory=set)

    @property
    def wrong(self) -> dict[str, list[str]]:
        return self.found.wrong

    @property
    def broken(self) -> dict[str, list[str]]:
        """What is wrong but for accidents of the code: a fence's substitute that fails shows nothing of the fence."""
        return {what: trace for what, trace in self.wrong.items() if not what.startswith(BUG)}


def explore(scenario: Scenario, *, most: int, stop_at_first: bool = False) -> Explored:
    """Search a scenario, up to a number of states."""
    began = time.monotonic()
    of = product(scenario.way)
    with of.running():
        troupe = Troupe(of)
        moves = Moves(troupe, scenario.judged)
        rest = Rest(troupe, moves)
        first = scenario.first(troupe)

        def judge(state: State) -> list[str] | None:
            return judged(scenario, first, moves, rest, state)

        found = search(first, moves, judge, most=most, stop_at_first=stop_at_first)
    for bug in troupe.bugs:
        found.wrong.setdefault(f"{BUG}{bug}", [])
    return Explored(found, time.monotonic() - began, troupe.visited)


def judged(scenario: Scenario, first: State, moves: Moves, rest: Rest, state: State) -> list[str] | None:
    """What is wrong with a state; None where it is not at rest and nothing is.

    What a dead function left undone may wait for the reconciler; what I1 to I4 say may not.
    """
    wrong, troupe = [], moves.troupe
    record = record_of(state.record)
    intended = (record.desired["blue"], record.desired["green"])
    # Of a worker the machine of a rollback moves the Pods, after the intention is written down.
    later = bool(record.rollback) and not record.balanced
    if not scenario.mended and not later and state.rule != intended and not _at_work(first, troupe, state):
        wrong.append("I4: nobody died and nobody writes weights, and rule and record differ")
    if not is_quiet(moves, state):
        return wrong or None
    undisturbed = state.left[:MISHAPS] == first.left[:MISHAPS]
    if undisturbed and state.plan.promoted and any(map(troupe.waits_for_answer, state.actors)):
        wrong.append("I10: a release that a person promoted waits for an answer")
    ended = all(troupe.asks(number) is None for number in state.actors)
    if ended and not (scenario.mended or record.holder or record.rollback):
        wrong += [f"at rest: {each}" for each in rest.problems(state) if undisturbed or each.startswith("I")]
    return wrong + [f"never mended: {each}" for each in rest.never_mended(state)]


def is_quiet(moves: Moves, state: State) -> bool:
    """Whether everybody has ended or waits for a time, nothing is in flight and nobody will start anything."""
    if state.flying or state.people:
        return False
    asked = (moves.troupe.asks(number) for number in state.actors)
    return all(op is None or moves.effects.waits(state, op) for op in asked)


def _at_work(first: State, troupe: Troupe, state: State) -> bool:
    """Whether somebody is writing weights, or something happened after which nobody may be."""
    disturbed = state.left[:MISHAPS] != first.left[:MISHAPS] or bool(state.flying or first.flying)
    return disturbed or any(troupe.function(n) in WEIGHERS for n in state.actors)
