"""The executor of a run: look, decide, write down the intention, act. One call is one move.

Whoever calls it, however often and however many at once, the run comes to the same end: the
intention is stored before the act and only if nobody else moved the run since the look, and what
counts as done is what the world shows. A call that dies anywhere leaves nothing to clean up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from candlefish.catalog.model import Environment
from candlefish.errors import InvalidInput, Permanent, RecordContested, Retryable
from candlefish.failover import runs
from candlefish.failover.decide import Move, Pace, next_move
from candlefish.failover.evidence import measured
from candlefish.failover.facts import World
from candlefish.failover.model import Entry, PlanStep, Run
from candlefish.failover.ports import Runs
from candlefish.ports import Now


class Stage(Protocol):
    """The world a run is played in: everything that its plan reads and acts on."""

    def look(self, run: Run) -> World:
        """Read everything that the run's plan needs; what cannot be read is named, never guessed."""

    def act(self, run: Run, step: PlanStep, world: World) -> dict[str, Any]:
        """Do one step, once; evidence to keep."""


class Advanced(msgspec.Struct, frozen=True):
    """What one move came to; the machine waits `wait` seconds and calls again while `running`."""

    run: str
    target: str
    epoch: int
    status: str
    step: str
    reason: str
    wait: float


class FailoverStepInput(msgspec.Struct, frozen=True):
    """Which failover to move."""

    target: str
    epoch: int


def advance(
    target: str, epoch: int, *, environment: Environment, runs_store: Runs, stage: Stage, pace: Pace, now: Now
) -> Advanced:
    """Make a run's next move.

    Raises
    ------
    InvalidInput
        There is no failover of that target.
    StaleGeneration
        A newer failover of the target took over.
    """
    run = runs_store.current(target)
    if run is None:
        raise InvalidInput(f"there is no failover of {target}; start one with: candlefish failover {target}")
    runs.require_epoch(run, epoch)
    if run.status != "running":
        return _said(run, "", run.why, 0.0)
    world = stage.look(run)
    move = next_move(run, world, environment, pace)
    try:
        after = runs_store.update(target, _if_unmoved(run, lambda r: _moved(r, move, now())))
    except RecordContested:
        return _said(run, "", "somebody else moves this run", pace.poll)
    _tell(runs_store, run, after, move, now())
    if move.kind != "act":
        return _said(after, move.step.key if move.step else "", move.reason, pace.poll)
    assert move.step is not None
    return _act(after, move.step, move.reason, world, runs_store, stage, pace, now)


def _act(
    run: Run, step: PlanStep, reason: str, world: World, runs_store: Runs, stage: Stage, pace: Pace, now: Now
) -> Advanced:
    try:
        evidence = stage.act(run, step, world)
    except Retryable as error:
        # It may or may not have happened; the next look shows.
        runs_store.append(run, Entry(now(), "no_answer", f"{step.key}: {error}"))
        return _said(run, step.key, str(error), pace.poll)
    except Permanent as error:
        why = str(error)
        run = runs_store.update(run.target, _same_epoch(run, lambda r: runs.refused(r, step, why)))
        runs_store.append(run, Entry(now(), "act_refused", f"{step.key}: {why}"))
        return _said(run, step.key, why, pace.poll)
    run = runs_store.update(run.target, _same_epoch(run, lambda r: runs.acted(r, step, evidence)))
    runs_store.append(run, Entry(now(), "acted", f"{step.key}: {reason}", evidence=evidence))
    return _said(run, step.key, reason, pace.poll)


def _if_unmoved(seen: Run, change: Callable[[Run], Run]) -> Callable[[Run], Run]:
    def checked(run: Run) -> Run:
        runs.require_epoch(run, seen.epoch)
        if run.revision != seen.revision:
            raise RecordContested(f"failover {run.id} was moved by another executor")
        return change(run)

    return checked


def _same_epoch(seen: Run, change: Callable[[Run], Run]) -> Callable[[Run], Run]:
    def checked(run: Run) -> Run:
        runs.require_epoch(run, seen.epoch)
        return change(run)

    return checked


def _moved(run: Run, move: Move, now: float) -> Run:
    run = runs.noted(run, move, now)
    if move.kind == "act":
        assert move.step is not None
        return runs.intended(run, move.step, now)
    if move.kind == "ask":
        assert move.asks is not None
        return runs.asking(run, move.asks, move.reason)
    if move.kind == "stop":
        return runs.stopped(run, move.reason)
    return runs.finished(run, now) if move.kind == "done" else run


def _tell(store: Runs, before: Run, run: Run, move: Move, now: float) -> None:
    for step, reason, evidence in move.reached:
        if not before.state(step).done_at:
            store.append(run, Entry(now, "reached", f"{step.key}: {reason}", evidence=evidence))
    if move.kind == "ask":
        store.append(run, Entry(now, "approval_requested", move.reason, evidence={"accept": move.asks}))
    elif move.kind == "stop":
        store.append(run, Entry(now, "stopped", move.reason))
    elif move.kind == "done":
        store.append(run, Entry(now, run.status, run.why, evidence=msgspec.to_builtins(measured(run))))


def _said(run: Run, step: str, reason: str, poll: float) -> Advanced:
    wait = poll if run.status == "running" else 0.0
    return Advanced(run.id, run.target, run.epoch, run.status, step, reason, wait)
