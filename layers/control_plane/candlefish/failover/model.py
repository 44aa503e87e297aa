"""A failover as a value: what is to be done, what people said, how far it came.

A `Run` is the record of one failover of one target. It is stored before anything is done, and every
change of it is a pure function in `runs`. A run's `epoch` counts the failovers of its target and is
the fencing token: an executor whose epoch is not the newest changes nothing. Times are epoch seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PlanKind = Literal[
    "database-in-region",
    "database-cross-region",
    "database-rebuild",
    "database-failback",
    "database-unfence",
    "cache-in-region",
    "cache-cross-region",
    "application",
    "region",
]
FailoverStatus = Literal["awaiting_approval", "running", "stopped", "done", "abandoned"]
# What a person may be asked. `go` starts the plan; the others each accept one named risk.
Question = Literal["go", "split-brain", "data-loss"]
# Statuses in which the run still owns its target.
OPEN: frozenset[FailoverStatus] = frozenset({"awaiting_approval", "running", "stopped"})
# How `requested_by` begins when no person asked but the control plane itself, because of a signal.
SIGNAL = "signal:"


class FailoverStep(msgspec.Struct, frozen=True):
    """One step: what kind of act on which subject (`main`, `sessions`, `backend-api`)."""

    kind: str
    subject: str

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.subject}"


class StepState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far one step came.

    `intended_at` is stored before the act, so that whoever takes over knows that the act may have
    happened. `failed` is the newest refusal of the world, in its words.
    """

    intended_at: float = 0.0
    attempts: int = 0
    done_at: float = 0.0
    failed: str = ""
    evidence: dict[str, Any] = {}


class FailoverAnswer(msgspec.Struct, frozen=True):
    """What a person said to one question."""

    by: str
    at: float
    reason: str = ""


class FailoverEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a run's timeline."""

    at: float
    kind: str
    reason: str
    by: str = "control-plane"
    evidence: dict[str, Any] = {}


class Baseline(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was true of a subject when the run began, saved once: what the plan starts from.

    `source` and `target` are the identifiers of the copies that lose and get the role, `zone` the
    primary's availability zone, `groups` the source's security groups before it was fenced.
    """

    source: str = ""
    source_region: str = ""
    target: str = ""
    target_region: str = ""
    zone: str = ""
    primary: str = ""
    groups: tuple[str, ...] = ()
    # The loss that was to be expected when the run began, seconds; None is unknown.
    expected_loss: float | None = None


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """One failover of one target (`database/main`, `cache/sessions`, `application`, `region`)."""

    environment: str
    target: str
    plan: PlanKind
    epoch: int
    steps: tuple[FailoverStep, ...]
    requested_by: str
    reason: str
    requested_at: float
    # The region that shall serve when the run is done.
    to: str
    # Since when users have been without the target; 0 when nothing is broken (a drill, a failback).
    failing_since: float = 0.0
    status: FailoverStatus = "running"
    needs: tuple[Question, ...] = ()
    answers: dict[str, FailoverAnswer] = {}
    before: dict[str, Baseline] = {}
    progress: dict[str, StepState] = {}
    # Why the run is in its status.
    why: str = ""
    ended_at: float = 0.0
    resumed_at: float = 0.0
    # Somebody gave it up: what it closed is being opened again.
    given_up: bool = False
    revision: int = 0

    @property
    def id(self) -> str:
        return f"{self.environment}.{self.target.replace('/', '.')}.{self.epoch}"

    @property
    def planned(self) -> bool:
        """Whether nothing is broken, so that no data may be lost on the way."""
        return self.failing_since == 0.0

    @property
    def open_questions(self) -> tuple[Question, ...]:
        return tuple(q for q in self.needs if q not in self.answers)

    @property
    def moved_at(self) -> float:
        """When somebody last asked, answered, acted on a step or saw one done."""
        steps = [at for state in self.progress.values() for at in (state.intended_at, state.done_at)]
        return max(self.requested_at, self.resumed_at, *(said.at for said in self.answers.values()), *steps)

    def state(self, step: FailoverStep) -> StepState:
        return self.progress.get(step.key, StepState())

    def reached(self, kind: str) -> bool:
        """Whether every step of a kind was seen done."""
        mine = [step for step in self.steps if step.kind == kind]
        return bool(mine) and all(self.state(step).done_at for step in mine)


class Pace(msgspec.Struct, frozen=True):
    """How patient a run is, in seconds.

    `settle`: how long an act may take to show in the world before it is tried again. `within`: how
    long a step may take altogether before a person is asked. `poll`: between two looks.
    """

    poll: float = 15.0
    settle: float = 120.0
    within: float = 3600.0


# Who moves a run looks at it that often at least, in seconds, whatever is retried in between.
SELDOM = 600.0


def nobody_moves(run: Run, now: float) -> bool:
    """Whether a run goes on as far as its record says, and whoever moved it must have died: it would have stopped it."""
    return run.status == "running" and now - run.moved_at > Pace().within + SELDOM
