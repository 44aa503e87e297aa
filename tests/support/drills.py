"""A region with snapshots for drills: restores take time, and the executor can die at each call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.backups import drill as module
from candlefish.backups.drill import PREFIX, Drill, DrillRequest, Snapshot, begin_drill, move
from candlefish.catalog.model import Database, Environment, ScratchSettings
from candlefish.errors import BackupUnusable, InvalidInput, RecordContested, Unavailable
from tests.support.failover import ENVIRONMENT, Clock, Killed

DATABASE = Database(
    name="main",
    identifier="orders",
    scratch=ScratchSettings(subnet_group="isolated", security_group="sg-0d0d0d0d"),
)


class Region:
    """Instances by name; the live one must never change."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.environment: Environment = msgspec.structs.replace(ENVIRONMENT, databases=(DATABASE,))
        self.instances: dict[str, module.Scratch] = {"orders": module.Scratch("orders", "available", "")}
        self.snapshots = [Snapshot("rds:orders-1", self.clock.now - 3600), Snapshot("rds:orders-0", 1.0)]
        self.drills: dict[str, Drill] = {}
        self.restored_as = "available"
        self.finding: Callable[[], dict[str, Any]] = lambda: {
            "beat_at": 1_000_000.0 - 3600 - 240,
            "beats": 5,
            "tables": 3,
            "rows": 70,
        }
        self.restores_asked = 0
        self.calls = 0
        self.kill_at: set[int] = set()

    def trap(self) -> None:
        self.calls += 1
        if self.calls in self.kill_at:
            raise Killed(self.calls)

    # Restores

    def newest_snapshot(self, database: Database, identifier: str) -> Snapshot | None:
        return self.snapshots[0] if self.snapshots else None

    def restore(self, drill: Drill, database: Database) -> None:
        self.trap()
        self.restores_asked += 1
        if drill.scratch not in self.instances:
            made = module.Scratch(drill.scratch, "creating", drill.id, created_at=self.clock.now)
            self.instances[drill.scratch] = made
            self.clock.later(400, lambda: self._become(drill.scratch, status=self.restored_as, address="x"))
        self.trap()

    def _become(self, name: str, **changes: Any) -> None:
        if name in self.instances:
            self.instances[name] = msgspec.structs.replace(self.instances[name], **changes)

    def manage_password(self, scratch: str) -> None:
        self.trap()
        self._become(scratch, status="resetting-master-credentials")
        self.clock.later(30, lambda: self._become(scratch, status="available", secret="arn:secret"))
        self.trap()

    def scratch(self, identifier: str) -> module.Scratch | None:
        self.trap()
        return self.instances.get(identifier)

    def scratches(self) -> list[module.Scratch]:
        return [i for n, i in self.instances.items() if n.startswith(PREFIX)]

    def delete(self, scratch: module.Scratch) -> None:
        self.trap()
        assert scratch.drill and scratch.identifier.startswith(PREFIX), f"{scratch} is live"
        self._become(scratch.identifier, status="deleting")
        self.clock.later(60, lambda: self._gone(scratch.identifier))
        self.trap()

    def _gone(self, name: str) -> None:
        self.instances.pop(name, None)

    # Inspector

    def inspect(self, database: Database, scratch: module.Scratch) -> dict[str, Any]:
        self.trap()
        return self.finding()

    # Drills

    def read(self, id: str) -> Drill | None:
        return self.drills.get(id)

    def create(self, drill: Drill) -> Drill:
        return self.drills.setdefault(drill.id, drill)

    def update(self, id: str, change: Callable[[Drill], Drill]) -> Drill:
        self.trap()
        self.drills[id] = change(self.drills[id])
        self.trap()
        return self.drills[id]

    def recent(self, limit: int = 20) -> list[Drill]:
        return list(self.drills.values())

    # Playing

    def begin(self, id: str = "q4") -> Drill:
        return begin_drill(
            DrillRequest(id, "main"), environment=self.environment, restores=self, drills=self, now=self.clock
        )

    def play(self, id: str = "q4") -> Drill:
        for _ in range(2000):
            with contextlib.suppress(Killed, RecordContested):
                moved = move(
                    id,
                    environment=self.environment,
                    restores=self,
                    inspector=self,
                    drills=self,
                    now=self.clock,
                    poll=15,
                )
                if moved.done:
                    return self.drills[id]
            self.clock.pass_(15)
        raise AssertionError(self.drills[id])


__all__ = ["BackupUnusable", "InvalidInput", "Region", "Unavailable"]
