"""The executor of a run: look, decide, write down the intention, act. One call is one move.

Whoever calls it, however often and however many at once, the run comes to the same end: the
intention is stored before the act and only if nobody else moved the run since the look, and what
counts as done is what the world shows. A call that dies anywhere leaves nothing to clean up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import msgspec

from candlefish.bounds import Counter, Subject
from candlefish.errors import InvalidInput, Permanent, RecordContested, Retryable
from candlefish.failover import record
from candlefish.failover.decide import Move, next_move
from candlefish.failover.evidence import measure_run
from candlefish.failover.facts import FailoverWorld
from candlefish.failover.journal import write_entry
from candlefish.failover.model import FailoverEntry, FailoverStatus, FailoverStep, Pace, Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.steps.kinds import KINDS
from candlefish.failover.steps.step import Scene
from candlefish.failover.world import read_world
from candlefish.invocation import written_within


class FailoverStepInput(msgspec.Struct, frozen=True):
    """Which failover to move."""

    target: Subject
    epoch: Counter


class FailoverProgress(msgspec.Struct, frozen=True):
    """What one move came to; the machine waits `wait` seconds and calls again while `running`."""

    run: str
    target: str
    epoch: int
    status: FailoverStatus
    step: str
    reason: str
    wait: float

    @property
    def look_again(self) -> float | None:
        return self.wait if self.status == "running" else None


def step_failover(which: FailoverStepInput, *, ports: FailoverPorts, pace: Pace) -> FailoverProgress:
    """Make a run's next move.

    Raises
    ------
    InvalidInput
        There is no failover of that target.
    StaleGeneration
        A newer failover of the target took over.
    """
    run = ports.runs.current(which.target)
    if run is None:
        raise InvalidInput(
            f"there is no failover of {which.target}; start one with: candlefish failover {which.target}"
        )
    record.require_epoch(run, which.epoch)
    if run.status != "running":
        return _progress(run, "", run.why, 0.0)
    world = read_world(run, ports)
    move = next_move(run, world, ports.environment, pace)
    try:
        after = ports.runs.update(run.target, _if_unmoved(run, lambda r: _moved(r, move, ports.now())))
    except RecordContested:
        return _progress(run, "", "somebody else moves this run", pace.poll)
    _write_move(run, after, move, ports)
    if move.kind != "act":
        return _progress(after, move.step.key if move.step else "", move.reason, pace.poll)
    assert move.step is not None
    return _act(after, move.step, move.reason, world, ports, pace)


def _act(
    run: Run, step: FailoverStep, reason: str, world: FailoverWorld, ports: FailoverPorts, pace: Pace
) -> FailoverProgress:
    try:
        with written_within(ports.cluster_writers_live):
            evidence = KINDS[step.kind].act(Scene(step, run, world, ports.environment), ports) or {}
    except Retryable as error:
        # It may or may not have happened; the next look shows.
        write_entry(run, FailoverEntry(ports.now(), "no_answer", f"{step.key}: {error}"), ports)
        return _progress(run, step.key, str(error), pace.poll)
    except Permanent as error:
        why = str(error)
        run = ports.runs.update(run.target, _same_epoch(run, lambda r: record.note_refusal(r, step, why)))
        write_entry(run, FailoverEntry(ports.now(), "act_refused", f"{step.key}: {why}"), ports)
        return _progress(run, step.key, why, pace.poll)
    run = ports.runs.update(run.target, _same_epoch(run, lambda r: record.note_evidence(r, step, evidence)))
    write_entry(run, FailoverEntry(ports.now(), "acted", f"{step.key}: {reason}", evidence=evidence), ports)
    return _progress(run, step.key, reason, pace.poll)


def _if_unmoved(seen: Run, change: Callable[[Run], Run]) -> Callable[[Run], Run]:
    def checked(run: Run) -> Run:
        record.require_epoch(run, seen.epoch)
        if run.revision != seen.revision:
            raise RecordContested(f"failover {run.id} was moved by another executor")
        return change(run)

    return checked


def _same_epoch(seen: Run, change: Callable[[Run], Run]) -> Callable[[Run], Run]:
    def checked(run: Run) -> Run:
        record.require_epoch(run, seen.epoch)
        return change(run)

    return checked


def _moved(run: Run, move: Move, now: float) -> Run:
    for step, _, evidence in move.reached:
        run = record.note_reached(run, step, evidence, now)
    match move.kind:
        case "act":
            assert move.step is not None
            return record.intend_step(run, move.step, now)
        case "ask":
            assert move.asks is not None
            return record.ask_risk(run, move.asks, move.reason)
        case "stop":
            return record.stop_run(run, move.reason)
        case "done":
            return record.finish_run(run, move.reason, now)
        case "wait":
            return run
        case _:
            assert_never(move.kind)


def _write_move(before: Run, run: Run, move: Move, ports: FailoverPorts) -> None:
    now = ports.now()
    for step, reason, evidence in move.reached:
        if not before.state(step).done_at:
            entry = FailoverEntry(now, "reached", f"{step.key}: {reason}", evidence=evidence)
            write_entry(run, entry, ports)
    match move.kind:
        case "ask":
            entry = FailoverEntry(now, "approval_requested", move.reason, evidence={"accept": move.asks})
        case "stop":
            entry = FailoverEntry(now, "stopped", move.reason)
        case "done":
            numbers = msgspec.to_builtins(measure_run(run))
            entry = FailoverEntry(now, run.status, run.why, evidence=numbers)
        case "act" | "wait":
            return
        case _:
            assert_never(move.kind)
    write_entry(run, entry, ports)


def _progress(run: Run, step: str, reason: str, poll: float) -> FailoverProgress:
    wait = poll if run.status == "running" else 0.0
    return FailoverProgress(run.id, run.target, run.epoch, run.status, step, reason, wait)
