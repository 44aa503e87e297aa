"""A definition, looked through once and then shared by all its executions: nothing in it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.simulator.machines.templates import Template


@dataclass(frozen=True)
class Retrier:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""

    errors: frozenset[str]
    interval: float
    attempts: int
    rate: float
    most: float
    jitter: bool


@dataclass(frozen=True)
class Catcher:
    """`output` is None where the error itself goes on."""

    errors: frozenset[str]
    next: str
    assign: dict[str, Template]
    output: Template | None


@dataclass(frozen=True)
class Rule:
    """One of a Choice."""

    condition: Template
    next: str
    assign: dict[str, Template]
    output: Template | None


@dataclass(frozen=True)
class State:
    """One state of any kind; what its kind does not have is empty. `next` is None at the end."""

    name: str
    kind: str
    next: str | None = None
    assign: dict[str, Template] = field(default_factory=dict)
    output: Template | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    resource: str = ""
    # Everything else that may hold expressions, by its name in the definition.
    filled: dict[str, Template] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    flows: tuple[Flow, ...] = ()


@dataclass(frozen=True)
class Flow:
    """States, and where they start: a machine, a branch, what a Map does with each item."""

    start: str
    states: dict[str, State]

    def every(self) -> Iterator[State]:
        """All states, those of branches and items too."""
        for state in self.states.values():
            yield state
            for flow in state.flows:
                yield from flow.every()


@dataclass(frozen=True)
class Definition:
    """A state machine's. `timeout` in seconds; None when it has none."""

    flow: Flow
    timeout: float | None

    def transitions(self) -> list[tuple[str, str]]:
        """All that can follow each other, in the definition's order."""
        found: dict[tuple[str, str], None] = {}
        for state in self.flow.every():
            following = [rule.next for rule in state.rules]
            following += [] if state.next is None else [state.next]
            following += [catcher.next for catcher in state.catch]
            found.update({(state.name, name): None for name in following})
        return list(found)
