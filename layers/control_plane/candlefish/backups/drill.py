"""The drill: restore the newest snapshot into a scratch instance, read it, measure, delete.

The same shape as a failover: what is to be done follows from a record and the world, so a drill that
was killed goes on, and its scratch instance is deleted however it ended. A scratch instance has a
name and a tag of its own; nothing without both is ever deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

import msgspec

from candlefish.catalog.model import Database, Environment
from candlefish.errors import (
    BackupUnusable,
    FailoverRefused,
    InvalidInput,
    NotAllowed,
    Permanent,
    Retryable,
    UnknownService,
)
from candlefish.ports import Now

PREFIX = "candlefish-drill-"
TAG = "candlefish:drill"
# RDS's words for an instance that will not come up.
HOPELESS = frozenset(
    {
        "failed",
        "incompatible-restore",
        "incompatible-network",
        "incompatible-parameters",
        "inaccessible-encryption-credentials",
        "restore-error",
        "storage-full",
    }
)
# A drill that takes longer than this has failed, and a scratch instance older than this is left over.
WITHIN = 4 * 3600.0
SETTLE = 120.0
PROBES = 5


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot. `at` is when it was taken, epoch seconds."""

    identifier: str
    at: float
    encrypted: bool = False


class Scratch(msgspec.Struct, frozen=True):
    """The scratch instance as RDS shows it. `drill` is its tag; `secret` its password's secret."""

    identifier: str
    status: str
    drill: str
    address: str = ""
    secret: str = ""
    created_at: float = 0.0


class Drill(msgspec.Struct, frozen=True, omit_defaults=True):
    """One drill of one database."""

    id: str
    environment: str
    database: str
    requested_by: str
    started_at: float
    scratch: str
    snapshot: Snapshot
    outcome: Literal["", "passed", "failed"] = ""
    why: str = ""
    restore_asked_at: float = 0.0
    available_at: float = 0.0
    probes: int = 0
    evidence: dict[str, Any] = {}
    ended_at: float = 0.0
    revision: int = 0


class Step(msgspec.Struct, frozen=True):
    """What to do next in a drill."""

    kind: Literal["restore", "manage-password", "probe", "conclude", "delete", "wait", "done"]
    reason: str
    outcome: Literal["", "passed", "failed"] = ""


def next_step(drill: Drill, scratch: Scratch | None, now: float) -> Step:
    """What a drill should do now (pure). `scratch` None: there is no such instance."""
    if drill.outcome:
        return _clean_up(drill, scratch)
    if now - drill.started_at > WITHIN:
        return Step("conclude", f"it took longer than {WITHIN / 3600:.0f} hours", "failed")
    if scratch is None:
        if now - drill.restore_asked_at < SETTLE:
            return Step("wait", "the restore was asked for and does not show yet")
        return Step("restore", f"restore {drill.snapshot.identifier} as {drill.scratch}")
    if scratch.drill != drill.id:
        return Step(
            "conclude", f"{drill.scratch} exists and is not of this drill; it was not touched", "failed"
        )
    if scratch.status in HOPELESS:
        return Step("conclude", f"the restored instance is {scratch.status}", "failed")
    if scratch.status != "available":
        return Step("wait", f"{drill.scratch} is {scratch.status}")
    if not scratch.secret:
        # The snapshot's own password may have been rotated since it was taken.
        return Step("manage-password", f"let RDS make a password for {drill.scratch}")
    if drill.evidence.get("beat_at") is None:
        if drill.probes >= PROBES:
            return Step("conclude", f"it could not be read: {drill.why}", "failed")
        return Step("probe", f"read the sentinel and every table of {drill.scratch}")
    return Step("conclude", _measured(drill), "passed")


def _clean_up(drill: Drill, scratch: Scratch | None) -> Step:
    if scratch is None or scratch.drill != drill.id:
        return Step("done", "the scratch instance is gone")
    if scratch.status == "deleting":
        return Step("wait", f"{scratch.identifier} is being deleted")
    if scratch.status == "creating":
        return Step("wait", f"{scratch.identifier} cannot be deleted while it is created")
    return Step("delete", f"delete {scratch.identifier}")


def _measured(drill: Drill) -> str:
    age, took = data_age(drill), restore_time(drill)
    return (
        f"{drill.evidence['rows']} rows of {drill.evidence['tables']} tables were read; the data was "
        f"{age:.0f} s old when the snapshot was taken, and usable {took:.0f} s after the restore was asked for"
    )


def data_age(drill: Drill) -> float:
    """How old the newest heartbeat was when the snapshot was taken, seconds."""
    return max(0.0, drill.snapshot.at - float(drill.evidence["beat_at"]))


def restore_time(drill: Drill) -> float:
    """From the request to restore until the data could be read, seconds."""
    return drill.available_at - drill.restore_asked_at


def left_over(scratches: Iterable[Scratch], active: set[str], now: float) -> list[Scratch]:
    """Scratch instances that no drill will delete any more: old ones, and ones of drills that ended."""
    return [
        s
        for s in scratches
        if s.identifier.startswith(PREFIX)
        and s.drill
        and s.drill not in active
        and s.status not in ("deleting", "creating")
        and now - s.created_at > SETTLE
    ]


# --- doing it ---------------------------------------------------------------------------------


class Restores(Protocol):
    """Snapshots and scratch instances of one region."""

    def newest_snapshot(self, database: Database, identifier: str) -> Snapshot | None:
        """The newest snapshot that is complete."""

    def restore(self, drill: Drill, database: Database) -> None:
        """Restore the drill's snapshot as its scratch instance, tagged, in the isolated subnet group."""

    def manage_password(self, scratch: str) -> None:
        """Let RDS make a master password and keep it in Secrets Manager."""

    def scratch(self, identifier: str) -> Scratch | None:
        """The scratch instance of that name."""

    def scratches(self) -> list[Scratch]:
        """Every scratch instance."""

    def delete(self, scratch: Scratch) -> None:
        """Delete a scratch instance without a snapshot; refuses what has no drill's tag."""


class Inspector(Protocol):
    """Reads a restored database from inside its network."""

    def inspect(self, database: Database, scratch: Scratch) -> dict[str, Any]:
        """`beat_at`, `beats`, `tables` and `rows` of a restored database.

        Raises
        ------
        BackupUnusable
            What came back is not what was backed up.
        """


class Drills(Protocol):
    """Where drills are kept."""

    def read(self, id: str) -> Drill | None:
        """One drill."""

    def create(self, drill: Drill) -> Drill:
        """Store a drill, or return the one of that id."""

    def update(self, id: str, change: Callable[[Drill], Drill]) -> Drill:
        """Read, change, store if nobody else stored in between; otherwise again from the start."""

    def recent(self, limit: int = 20) -> list[Drill]:
        """The newest drills, newest first."""


class DrillRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which database to drill. `id` makes repeated deliveries of one request the same drill."""

    id: str
    database: str
    requested_by: str = "schedule"


class Progress(msgspec.Struct, frozen=True):
    """What one move of a drill came to; the machine calls again after `wait` seconds until `done`."""

    id: str
    outcome: str
    reason: str
    done: bool
    wait: float


def begin_drill(
    request: DrillRequest, *, environment: Environment, restores: Restores, drills: Drills, now: Now
) -> Drill:
    """Choose the snapshot and write the drill down; asking again is asking once.

    Raises
    ------
    UnknownService, InvalidInput
        The environment has no such database, or the catalog names no place to restore it to.
    BackupUnusable
        There is no snapshot at all.
    """
    if (known := drills.read(request.id)) is not None:
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
    snapshot = restores.newest_snapshot(database, database.identifier)
    if snapshot is None:
        raise BackupUnusable(
            f"{database.identifier} has no snapshot to restore; look at its backup retention"
        )
    name = f"{PREFIX}{environment.name}-{database.name}-{request.id}"[:63].rstrip("-")
    _never_live(name, environment)
    return drills.create(
        Drill(
            id=request.id,
            environment=environment.name,
            database=database.name,
            requested_by=request.requested_by,
            started_at=now(),
            scratch=name,
            snapshot=snapshot,
        )
    )


def _never_live(name: str, environment: Environment) -> None:
    live = {d.identifier for d in environment.databases}
    live |= {d.replica.identifier for d in environment.databases if d.replica}
    if name in live or not name.startswith(PREFIX):
        raise FailoverRefused(f"{name} is not the name of a scratch instance; nothing was restored")


def move(
    id: str,
    *,
    environment: Environment,
    restores: Restores,
    inspector: Inspector,
    drills: Drills,
    now: Now,
    poll: float,
) -> Progress:
    """Make a drill's next move.

    Raises
    ------
    InvalidInput
        There is no such drill.
    """
    drill = drills.read(id)
    if drill is None:
        raise InvalidInput(f"there is no drill {id!r}; start one with: candlefish recovery drill")
    database = next(d for d in environment.databases if d.name == drill.database)
    _never_live(drill.scratch, environment)
    scratch = restores.scratch(drill.scratch)
    step = next_step(drill, scratch, now())
    if step.kind == "done":
        drill = drills.update(id, lambda d: d if d.ended_at else msgspec.structs.replace(d, ended_at=now()))
        return Progress(id, drill.outcome, drill.why, True, 0.0)
    if step.kind == "conclude":
        drill = drills.update(id, lambda d: msgspec.structs.replace(d, outcome=step.outcome, why=step.reason))
        return Progress(id, drill.outcome, drill.why, False, 0.0)
    try:
        _act(step, drill, database, scratch, restores, inspector, drills, now)
    except Retryable as error:
        return Progress(id, drill.outcome, f"{step.reason}: {error}", False, poll)
    except (BackupUnusable, NotAllowed, Permanent) as error:
        why = f"{step.reason}: {error}"
        if step.kind == "delete":
            raise
        drill = drills.update(id, lambda d: msgspec.structs.replace(d, outcome="failed", why=why))
        return Progress(id, drill.outcome, why, False, 0.0)
    return Progress(id, drill.outcome, step.reason, False, poll)


def _act(
    step: Step,
    drill: Drill,
    database: Database,
    scratch: Scratch | None,
    restores: Restores,
    inspector: Inspector,
    drills: Drills,
    now: Now,
) -> None:
    if step.kind == "restore":
        at = now()
        drills.update(
            drill.id, lambda d: msgspec.structs.replace(d, restore_asked_at=d.restore_asked_at or at)
        )
        restores.restore(drill, database)
    elif step.kind == "manage-password":
        restores.manage_password(drill.scratch)
    elif step.kind == "delete":
        assert scratch is not None
        restores.delete(scratch)
    elif step.kind == "probe":
        assert scratch is not None
        drills.update(drill.id, lambda d: msgspec.structs.replace(d, probes=d.probes + 1))
        try:
            found = inspector.inspect(database, scratch)
        except Retryable as error:
            why = str(error)
            drills.update(drill.id, lambda d: msgspec.structs.replace(d, why=why))
            raise
        at = now()
        drills.update(drill.id, lambda d: msgspec.structs.replace(d, evidence=found, available_at=at, why=""))
