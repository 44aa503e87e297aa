"""Drills as their machine and schedules call them: which databases, begin, move, sweep."""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.backups.drill import (
    Drill,
    DrillRequest,
    Drills,
    Inspector,
    Progress,
    Restores,
    begin_drill,
    data_age,
    left_over,
    move,
    restore_time,
)
from candlefish.backups.findings import Signal, Teller
from candlefish.catalog.model import Environment
from candlefish.errors import InvalidInput
from candlefish.ports import Now


class DrillStep(msgspec.Struct, frozen=True):
    """`list` names the databases to drill; `begin` and `move` are about one drill; `sweep` cleans up."""

    do: Literal["list", "begin", "move", "sweep"]
    id: str = ""
    database: str = ""
    requested_by: str = "schedule"


class Bench(msgspec.Struct, frozen=True):
    """What drills take."""

    environment: Environment
    restores: Restores
    inspector: Inspector
    drills: Drills
    teller: Teller
    now: Now
    poll: float


# Names of databases, names of scratch instances that were deleted, or how far a drill is.
DrillAnswer = list[str] | Progress


def drill_step(step: DrillStep, *, bench: Bench) -> DrillAnswer:
    """Do one step. A drill that ended is told once as a signal: firing when it failed, else resolved."""
    if step.do == "list":
        return names(step, bench.environment)
    if step.do == "sweep":
        return sweep(bench)
    if step.do == "begin":
        drill = begin_drill(
            DrillRequest(step.id, step.database, step.requested_by),
            environment=bench.environment,
            restores=bench.restores,
            drills=bench.drills,
            now=bench.now,
        )
        return Progress(drill.id, drill.outcome, drill.why, bool(drill.ended_at), 1.0)
    moved = move(
        step.id,
        environment=bench.environment,
        restores=bench.restores,
        inspector=bench.inspector,
        drills=bench.drills,
        now=bench.now,
        poll=bench.poll,
    )
    if moved.done and (ended := bench.drills.read(step.id)) is not None:
        bench.teller.tell([signal(ended, bench.now())])
    return moved


def names(step: DrillStep, environment: Environment) -> list[str]:
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


def signal(drill: Drill, now: float) -> Signal:
    """A drill's outcome, under one identity for each database."""
    failed = drill.outcome == "failed"
    return Signal(
        name="backup-drill",
        status="firing" if failed else "resolved",
        started_at=drill.started_at,
        ended_at=0.0 if failed else now,
        labels={
            "environment": drill.environment,
            "category": "backup",
            "about": f"database/{drill.database}",
        },
        summary=f"drill {drill.id} of {drill.snapshot.identifier} {drill.outcome}: {drill.why}",
    )


def numbers(drill: Drill) -> dict[str, float]:
    """What a drill that passed measured, seconds."""
    return {"data_age": data_age(drill), "restore_time": restore_time(drill)}


def sweep(bench: Bench) -> list[str]:
    """Delete the scratch instances that no drill will delete any more; their names."""
    active = {d.id for d in bench.drills.recent(100) if not d.ended_at}
    gone = []
    for scratch in left_over(bench.restores.scratches(), active, bench.now()):
        bench.restores.delete(scratch)
        gone.append(scratch.identifier)
    return gone
