"""A drill, and every way it may change. Each function takes a drill and returns the next one; none does I/O."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.backups.model import Snapshot

DrillOutcome = Literal["", "passed", "failed"]


class Drill(msgspec.Struct, frozen=True, omit_defaults=True):
    """One drill of one database."""

    id: str
    environment: str
    database: str
    requested_by: str
    started_at: float
    scratch: str
    snapshot: Snapshot
    outcome: DrillOutcome = ""
    why: str = ""
    restore_asked_at: float = 0.0
    available_at: float = 0.0
    probes: int = 0
    evidence: dict[str, Any] = {}
    ended_at: float = 0.0
    revision: int = 0


def note_restore(drill: Drill, now: float) -> Drill:
    """Write down that the restore is about to be asked for; the first time counts."""
    return msgspec.structs.replace(drill, restore_asked_at=drill.restore_asked_at or now)


def count_probe(drill: Drill) -> Drill:
    """Write down that the restored database is about to be read."""
    return msgspec.structs.replace(drill, probes=drill.probes + 1)


def note_unread(drill: Drill, why: str) -> Drill:
    """Keep why the restored database could not be read yet."""
    return msgspec.structs.replace(drill, why=why)


def keep_inspection(drill: Drill, found: dict[str, Any], now: float) -> Drill:
    """Keep what was found in the restored database, and that it could be read by now."""
    return msgspec.structs.replace(drill, evidence=found, available_at=now, why="")


def conclude_drill(drill: Drill, outcome: DrillOutcome, why: str) -> Drill:
    """Say how it went; what is left to do is to clean up."""
    return msgspec.structs.replace(drill, outcome=outcome, why=why)


def end_drill(drill: Drill, now: float) -> Drill:
    """Its scratch instance is gone; the first time counts."""
    return drill if drill.ended_at else msgspec.structs.replace(drill, ended_at=now)
