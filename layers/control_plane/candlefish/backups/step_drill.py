"""Drills as their machine and schedules call them: which databases, begin, move, sweep.

A drill restores the newest snapshot into a scratch instance, reads it, measures, deletes. The same shape
as a failover: what is to be done follows from a record and the world, so a drill that was killed goes on,
and its scratch instance is deleted however it ended.
"""

from __future__ import annotations

import re
from typing import assert_never

from candlefish.backups import record
from candlefish.backups.decide import DrillAction, left_over, next_action
from candlefish.backups.model import PREFIX, DrillAnswer, DrillProgress, DrillStepInput, ScratchInstance
from candlefish.backups.news import drill_signal, signal_event
from candlefish.backups.ports import DrillPorts
from candlefish.backups.record import Drill
from candlefish.catalog.model import Database, Environment
from candlefish.errors import (
    BackupUnusable,
    FailoverRefused,
    InvalidInput,
    Permanent,
    Retryable,
    UnknownService,
)
from candlefish.names import INSTANCE, bounded_name, mark_of


def step_drill(step: DrillStepInput, *, ports: DrillPorts, poll: float) -> DrillAnswer:
    """Do one step. A drill that ended is told once as a signal: firing when it failed, else resolved."""
    match step.do:
        case "list":
            return databases_to_drill(step, ports.environment)
        case "sweep":
            return sweep_drills(ports)
        case "begin":
            drill = begin_drill(step, ports=ports)
            return DrillProgress(drill.id, drill.outcome, drill.why, bool(drill.ended_at))
        case "move":
            moved = move_drill(step.id, ports=ports, poll=poll)
            if moved.done and (ended := ports.drills.read(step.id)) is not None:
                ports.events.publish(*signal_event(drill_signal(ended, ports.now())))
            return moved
        case _:
            assert_never(step.do)


def databases_to_drill(step: DrillStepInput, environment: Environment) -> list[str]:
    """The database asked for, or every one that has a place to be restored to.

    Raises
    ------
    InvalidInput
        There is none.
    """
    found = [step.database] if step.database else [d.name for d in environment.databases if d.scratch]
    if not found:
        raise InvalidInput(
            f"no database of {environment.name} has a scratch place; name subnet_group and security_group in the catalog"
        )
    return found


def begin_drill(request: DrillStepInput, *, ports: DrillPorts) -> Drill:
    """Choose the snapshot and write the drill down; asking again is asking once.

    Raises
    ------
    UnknownService, InvalidInput
        The environment has no such database, or the catalog names no place to restore it to.
    BackupUnusable
        There is no snapshot at all.
    """
    environment = ports.environment
    if (known := ports.drills.read(request.id)) is not None:
        return known
    database = next((d for d in environment.databases if d.name == request.database), None)
    if database is None:
        names = ", ".join(d.name for d in environment.databases) or "none"
        raise UnknownService(f"{environment.name} declares no database {request.database!r}; it has {names}")
    if database.scratch is None:
        raise InvalidInput(
            f"the catalog names no scratch place for database {database.name} (subnet_group, security_group); "
            "a drill never restores next to what is live"
        )
    snapshot = ports.restores.newest_snapshot(database, database.identifier)
    if snapshot is None:
        raise BackupUnusable(
            f"{database.identifier} has no snapshot to restore; look at its backup retention"
        )
    name = scratch_name(environment.name, database.name, request.id)
    require_scratch(name, environment)
    return ports.drills.create(
        Drill(
            id=request.id,
            environment=environment.name,
            database=database.name,
            requested_by=request.requested_by,
            started_at=ports.now(),
            scratch=name,
            snapshot=snapshot,
        )
    )


def scratch_name(environment: str, database: str, drill: str) -> str:
    """What the instance of a drill is called: each drill has its own, and RDS takes no two hyphens in a row."""
    name = bounded_name(f"{PREFIX}{environment}", database, mark_of(drill), longest=INSTANCE)
    return re.sub("-+", "-", name)


def require_scratch(name: str, environment: Environment) -> None:
    """Refuse the name of an instance that may be live.

    Raises
    ------
    FailoverRefused
        It is one of the environment's own, or not called like a scratch instance.
    """
    live = {d.identifier for d in environment.databases}
    live |= {d.replica.identifier for d in environment.databases if d.replica}
    if name in live or not name.startswith(PREFIX):
        raise FailoverRefused(f"{name} is not the name of a scratch instance; nothing was restored")


def move_drill(id: str, *, ports: DrillPorts, poll: float) -> DrillProgress:
    """Make a drill's next move.

    Raises
    ------
    InvalidInput
        There is no such drill.
    """
    drill = ports.drills.read(id)
    if drill is None:
        raise InvalidInput(f"there is no drill {id!r}; start one with: candlefish recovery drill")
    database = next(d for d in ports.environment.databases if d.name == drill.database)
    require_scratch(drill.scratch, ports.environment)
    scratch = ports.restores.scratch(drill.scratch)
    action = next_action(drill, scratch, ports.now())
    if action.kind == "done":
        drill = ports.drills.update(id, lambda d: record.end_drill(d, ports.now()))
        return DrillProgress(id, drill.outcome, drill.why, True)
    if action.kind == "conclude":
        drill = _conclude(id, action.outcome, action.reason, ports)
        return DrillProgress(id, drill.outcome, drill.why, False, poll)
    try:
        _act(action, drill, database, scratch, ports)
    except Retryable as error:
        return DrillProgress(id, drill.outcome, f"{action.reason}: {error}", False, poll)
    except Permanent as error:
        if action.kind == "delete":
            raise
        drill = _conclude(id, "failed", f"{action.reason}: {error}", ports)
        return DrillProgress(id, drill.outcome, drill.why, False, poll)
    return DrillProgress(id, drill.outcome, action.reason, False, poll)


def _conclude(id: str, outcome: record.DrillOutcome, why: str, ports: DrillPorts) -> Drill:
    return ports.drills.update(id, lambda d: record.conclude_drill(d, outcome, why))


def _act(
    action: DrillAction, drill: Drill, database: Database, scratch: ScratchInstance | None, ports: DrillPorts
) -> None:
    match action.kind:
        case "restore":
            at = ports.now()
            ports.drills.update(drill.id, lambda d: record.note_restore(d, at))
            ports.restores.restore(drill, database)
        case "manage-password":
            ports.restores.manage_password(drill.scratch)
        case "probe":
            assert scratch is not None
            _inspect(drill, database, scratch, ports)
        case "delete":
            assert scratch is not None
            ports.restores.delete(scratch)
        case "wait" | "conclude" | "done":
            return
        case _:
            assert_never(action.kind)


def _inspect(drill: Drill, database: Database, scratch: ScratchInstance, ports: DrillPorts) -> None:
    ports.drills.update(drill.id, record.count_probe)
    try:
        found = ports.inspector.inspect(database, scratch)
    except Retryable as error:
        why = str(error)
        ports.drills.update(drill.id, lambda d: record.note_unread(d, why))
        raise
    at = ports.now()
    ports.drills.update(drill.id, lambda d: record.keep_inspection(d, found, at))


def sweep_drills(ports: DrillPorts) -> list[str]:
    """Delete the scratch instances that no drill will delete any more; their names."""
    active = {d.id for d in ports.drills.recent(100) if not d.ended_at}
    gone = []
    for scratch in left_over(ports.restores.scratches(), ports.environment.name, active, ports.now()):
        ports.restores.delete(scratch)
        gone.append(scratch.identifier)
    return gone
