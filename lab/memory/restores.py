"""Snapshots and scratch instances of one region, and what is found inside, in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.backups.model import PREFIX, ScratchInstance, Snapshot
from candlefish.backups.record import Drill
from candlefish.catalog.model import Database
from candlefish.errors import InvalidInput, NotAllowed
from candlefish.ports import Now

# How long the work on an instance takes, in seconds.
RESTORE, PASSWORD, DELETE = 400.0, 30.0, 60.0


class MemoryRestores:
    """`backups.ports.Restores`. Work takes time; `trap` runs around each call: the executor can die there.

    Parameters
    ----------
    later
        Has something happen after so many seconds, by the clock that `now` is of.
    live
        The identifiers of the databases that serve.
    """

    def __init__(self, now: Now, later: Callable[[float, Callable[[], None]], object], *live: str) -> None:
        self.now, self.later = now, later
        self.instances = {name: ScratchInstance(name, "available", "") for name in live}
        # By the identifier of the database, newest first.
        self.snapshots: dict[str, list[Snapshot]] = {name: [] for name in live}
        # The status that a restore ends with.
        self.restored_as = "available"
        self.restores_asked = 0

    def trap(self) -> None:
        """Where the executor can die."""

    def take(self, identifier: str) -> None:
        """Take a snapshot of a database."""
        taken = self.snapshots.setdefault(identifier, [])
        taken.insert(0, Snapshot(f"rds:{identifier}-{len(taken)}", self.now()))

    def newest_snapshot(self, database: Database, identifier: str) -> Snapshot | None:
        return max(self.snapshots.get(identifier, ()), key=lambda snapshot: snapshot.at, default=None)

    def restore(self, drill: Drill, database: Database) -> None:
        self.trap()
        self.restores_asked += 1
        if not any(drill.snapshot in each for each in self.snapshots.values()):
            raise InvalidInput(f"there is no snapshot {drill.snapshot.identifier}")
        if drill.scratch not in self.instances:
            made = ScratchInstance(
                drill.scratch, "creating", drill.id, drill.environment, created_at=self.now()
            )
            self.instances[drill.scratch] = made
            address = f"{drill.scratch}.rds.example"
            self.later(RESTORE, lambda: self._become(drill.scratch, status=self.restored_as, address=address))
        self.trap()

    def _become(self, name: str, **changes: Any) -> None:
        if name in self.instances:
            self.instances[name] = msgspec.structs.replace(self.instances[name], **changes)

    def manage_password(self, scratch: str) -> None:
        self.trap()
        self._become(scratch, status="resetting-master-credentials")
        secret = f"arn:secret:{scratch}"
        self.later(PASSWORD, lambda: self._become(scratch, status="available", secret=secret))
        self.trap()

    def scratch(self, identifier: str) -> ScratchInstance | None:
        self.trap()
        return self.instances.get(identifier)

    def scratches(self) -> list[ScratchInstance]:
        return [self.instances[name] for name in sorted(self.instances) if name.startswith(PREFIX)]

    def delete(self, scratch: ScratchInstance) -> None:
        self.trap()
        now = self.instances.get(scratch.identifier)
        if now is None:
            return
        if not now.identifier.startswith(PREFIX) or not now.drill or now.drill != scratch.drill:
            raise NotAllowed(f"{now.identifier} is not the scratch instance of a drill; it was not deleted")
        self._become(scratch.identifier, status="deleting")
        self.later(DELETE, lambda: self._gone(scratch.identifier))
        self.trap()

    def _gone(self, name: str) -> None:
        self.instances.pop(name, None)


class MemoryInspector:
    """`backups.ports.Inspector`: what `finding` gives for a restored database, or raises."""

    def __init__(self, finding: Callable[[], dict[str, Any]]) -> None:
        self.finding = finding
        self.secrets: list[str] = []

    def trap(self) -> None:
        """Where the executor can die."""

    def inspect(self, database: Database, scratch: ScratchInstance) -> dict[str, Any]:
        self.trap()
        self.secrets.append(scratch.secret)
        return dict(self.finding())
