"""Breadth-first search of a graph of states, and the shortest way to what must not be."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class Move(Generic[S]):
    """One thing that can happen next: what it is, where it leads, and what is wrong with it."""

    what: Callable[[], str]
    to: S
    wrong: tuple[str, ...] = ()


@dataclass
class Found(Generic[S]):
    """What a search saw. `wrong` has the shortest way to each thing that must not be, by what it is called."""

    states: int = 0
    moves: int = 0
    # At rest: nothing runs and nobody will start anything.
    rests: int = 0
    complete: bool = False
    wrong: dict[str, list[str]] = field(default_factory=dict)
    # How many states had been seen when the first one was found.
    after: int = 0


def search(
    first: S,
    moves: Callable[[S], Iterable[Move[S]]],
    judge: Callable[[S], Iterable[str] | None],
    *,
    most: int,
    stop_at_first: bool = False,
) -> Found[S]:
    """Every state that can be reached, up to `most` of them; the same ones in the same order on every machine.

    Parameters
    ----------
    judge
        What is wrong with a state; None where it is not at rest and nothing is.
    stop_at_first
        End with the first thing that is wrong: the shortest trace there is.
    """
    came_from: dict[S, S | None] = {first: None}
    queue, found = [first], Found[S]()

    def note(what: str, way: Callable[[], list[str]]) -> None:
        if what not in found.wrong:
            found.after = found.after or len(came_from)
            found.wrong[what] = way()

    # The list is read while it grows: a queue that is never shortened costs no more than the states in it.
    for state in queue:
        found.states += 1
        problems = judge(state)
        if problems is not None:
            found.rests += 1
            for what in problems:
                note(what, lambda: trace(came_from, state, moves))  # noqa: B023 - called at once
        for move in moves(state):
            found.moves += 1
            for what in move.wrong:
                note(what, lambda: [*trace(came_from, state, moves), move.what()])  # noqa: B023
            if move.to not in came_from and len(came_from) < most:
                came_from[move.to] = state
                queue.append(move.to)
            elif move.to not in came_from:
                found.states = len(came_from)
                return found
        if stop_at_first and found.wrong:
            return found
    found.complete = True
    return found


def trace(came_from: dict[S, S | None], state: S, moves: Callable[[S], Iterable[Move[S]]]) -> list[str]:
    """What happened on the way from the first state to this one."""
    told = []
    for before, after in _steps(came_from, state):
        told.append(next(move.what() for move in moves(before) if move.to == after))
    return told[::-1]


def _steps(came_from: dict[S, S | None], state: S) -> Iterator[tuple[S, S]]:
    while (before := came_from[state]) is not None:
        yield before, state
        state = before
