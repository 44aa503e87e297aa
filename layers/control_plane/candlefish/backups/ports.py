"""What audits, drills and the probe need from the world."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from candlefish.backups.model import AuditReport, Backups, ProbeTarget, ScratchInstance, Snapshot
from candlefish.backups.record import Drill
from candlefish.catalog.model import Database, Environment
from candlefish.ports import EventPublisher, Now


class BackupReader(Protocol):
    """Reads what is kept of an environment. Never raises: what cannot be read is said in the answer."""

    def read(self) -> Backups:
        """Everything the audit looks at."""


class AuditReports(Protocol):
    """Where the newest audit is kept."""

    def latest(self) -> AuditReport | None:
        """The newest audit; None before the first."""

    def store(self, report: AuditReport) -> None:
        """Keep an audit in place of the one before."""


class Restores(Protocol):
    """Snapshots and scratch instances of one region."""

    def newest_snapshot(self, database: Database, identifier: str) -> Snapshot | None:
        """The newest snapshot that is complete."""

    def restore(self, drill: Drill, database: Database) -> None:
        """Restore the drill's snapshot as its scratch instance, tagged, in the isolated subnet group."""

    def manage_password(self, scratch: str) -> None:
        """Let RDS make a master password and keep it in Secrets Manager."""

    def scratch(self, identifier: str) -> ScratchInstance | None:
        """The scratch instance of that name."""

    def scratches(self) -> list[ScratchInstance]:
        """Every scratch instance."""

    def delete(self, scratch: ScratchInstance) -> None:
        """Delete a scratch instance without a snapshot; refuses what has no drill's tag."""


class Inspector(Protocol):
    """Reads a restored database from inside its network."""

    def inspect(self, database: Database, scratch: ScratchInstance) -> dict[str, Any]:
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


class DrillPorts(msgspec.Struct, frozen=True):
    """What drills take. What the bus refuses of `events` is an error."""

    environment: Environment
    restores: Restores
    inspector: Inspector
    drills: Drills
    events: EventPublisher
    now: Now


class Sql(Protocol):
    """A connection to one database."""

    def execute(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run statements in one implicit transaction; the rows of the last one, as text."""


Connect = Callable[[ProbeTarget], AbstractContextManager[Sql]]
