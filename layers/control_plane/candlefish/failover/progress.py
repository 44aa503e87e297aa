"""How far one step of a plan is, judged from the world alone.

A step's judge is a pure function of the run and the world. It never says what has been done, only
what is true: so a run that was killed after any act, and started again, sees its own work as done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from candlefish.catalog.model import Environment
from candlefish.failover.facts import World
from candlefish.failover.model import PlanStep, Question, Run

State = Literal["done", "todo", "waiting", "blocked"]


class Progress(msgspec.Struct, frozen=True):
    """`done`; `todo`: act now; `waiting`: it is under way; `blocked`: it cannot work as things are.

    `asks` names the risk a person may accept to get past a block; empty when nobody can.
    """

    state: State
    reason: str
    evidence: dict[str, Any] = {}
    asks: Question | None = None


class Scene(msgspec.Struct, frozen=True):
    """Everything a judge may look at."""

    step: PlanStep
    run: Run
    world: World
    environment: Environment

    def done_at(self, kind: str) -> float:
        """When another step of the same subject was last seen done; 0 for never."""
        return self.run.state(PlanStep(kind, self.step.subject)).done_at


Judge = Callable[[Scene], Progress]


def done(reason: str, **evidence: Any) -> Progress:
    return Progress("done", reason, evidence)


def todo(reason: str) -> Progress:
    return Progress("todo", reason)


def waiting(reason: str) -> Progress:
    return Progress("waiting", reason)


def blocked(reason: str, asks: Question | None = None) -> Progress:
    return Progress("blocked", reason, {}, asks)
