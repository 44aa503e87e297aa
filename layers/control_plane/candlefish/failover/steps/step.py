"""What a step is: one row with everything that is known of it.

A step's judge is a pure function of the run and the world. It never says what has been done, only
what is true: so a run that was killed after any act, and started again, sees its own work as done.
Its act does it, once; every act may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from candlefish.catalog.model import Environment
from candlefish.failover.facts import FailoverWorld
from candlefish.failover.model import FailoverStep, PlanKind, Question, Run
from candlefish.failover.ports import FailoverPorts

# What an act returns is kept with the step; None for nothing.
Evidence = dict[str, Any]


class StepProgress(msgspec.Struct, frozen=True):
    """`done`; `todo`: act now; `waiting`: it is under way; `blocked`: it cannot work as things are.

    `asks` names the risk a person may accept to get past a block; empty when nobody can.
    """

    state: Literal["done", "todo", "waiting", "blocked"]
    reason: str
    evidence: Evidence = {}
    asks: Question | None = None


class Scene(msgspec.Struct, frozen=True):
    """Everything that a step is judged by, and done by."""

    step: FailoverStep
    run: Run
    world: FailoverWorld
    environment: Environment

    def done_at(self, kind: str) -> float:
        """When another step of the same subject was last seen done; 0 for never."""
        return self.run.state(FailoverStep(kind, self.step.subject)).done_at


class StepKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of step. What has no default is asked of every row."""

    kind: str
    # What a person is told it does, before anything happens.
    words: str
    # The part of the world that it is judged by, which is read when a plan has such a step.
    part: Literal["databases", "caches", "site"]
    judge: Callable[[Scene], StepProgress]
    act: Callable[[Scene, FailoverPorts], Evidence | None]
    # The kind of step until whose act this one must stay true: what was closed may have been opened again.
    holds_until: str = ""
    # The kind of step that takes this one back when the run is given up.
    undone_by: str = ""
    # Cannot be taken back: from here the only way is forward.
    final: bool = False
    # From its act on users are without the target.
    cuts_off: bool = False
    # Plans in which users are served again once it was seen done.
    serves: frozenset[PlanKind] = frozenset()

    def of(self, subject: str) -> FailoverStep:
        """The step of this kind on a subject."""
        return FailoverStep(self.kind, subject)


def wait_only(scene: Scene, ports: FailoverPorts) -> None:
    """The act of a step that comes about by itself."""


def by_kind(*rows: StepKind) -> dict[str, StepKind]:
    """The rows by kind; refuses two of one kind, and a row that names a kind which is not there."""
    kinds = {row.kind: row for row in rows}
    if len(kinds) < len(rows):
        raise ValueError(f"two rows of one kind among {', '.join(sorted(row.kind for row in rows))}")
    for row in rows:
        for other in (row.holds_until, row.undone_by):
            if other and other not in kinds:
                raise ValueError(f"{row.kind} names the step {other}, which has no row")
    return kinds


def done(reason: str, **evidence: Any) -> StepProgress:
    return StepProgress("done", reason, evidence)


def todo(reason: str) -> StepProgress:
    return StepProgress("todo", reason)


def waiting(reason: str) -> StepProgress:
    return StepProgress("waiting", reason)


def blocked(reason: str, asks: Question | None = None) -> StepProgress:
    return StepProgress("blocked", reason, {}, asks)
