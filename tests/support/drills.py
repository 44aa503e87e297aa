"""A region with snapshots for drills: restores take time, and the executor can die at each call."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from candlefish.backups.model import PREFIX, DrillStepInput, ScratchInstance, Snapshot
from candlefish.backups.ports import DrillPorts
from candlefish.backups.record import Drill
from candlefish.backups.step_drill import begin_drill, move_drill
from candlefish.catalog.model import Database, Environment, ScratchSettings
from candlefish.errors import RecordContested
from lab.memory.backups import MemoryDrills
from lab.memory.events import MemoryEvents
from tests.support.backups import FakeInspector
from tests.support.clock import Clock
from tests.support.failover.catalog import ENVIRONMENT
from tests.support.failover.world import Killed

DATABASE = Database(
    name="main",
    identifier="orders",
    scratch=ScratchSettings(subnet_group="isolated", security_group="sg-0d0d0d0d"),
)


FOUND = {"beat_at": 1_000_000.0 - 3600 - 240, "beats": 5, "tables": 3, "rows": 70}


class Region(FakeInspector):
    """`backups.ports.Restores`, and what is found inside: instances by name; the live one must never change."""

    def __init__(self) -> None:
        super().__init__(lambda: dict(FOUND))
        self.clock = Clock(1_000_000.0)
        self.environment: Environment = msgspec.structs.replace(ENVIRONMENT, databases=(DATABASE,))
        self.instances: dict[str, ScratchInstance] = {"orders": ScratchInstance("orders", "available", "")}
        self.snapshots = [Snapshot("rds:orders-1", self.clock.at - 3600), Snapshot("rds:orders-0", 1.0)]
        self.drills = MemoryDrills(self.trap)
        self.restored_as = "available"
        self.restores_asked = 0
        self.events = MemoryEvents()
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
            made = ScratchInstance(drill.scratch, "creating", drill.id, created_at=self.clock.at)
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

    def scratch(self, identifier: str) -> ScratchInstance | None:
        self.trap()
        return self.instances.get(identifier)

    def scratches(self) -> list[ScratchInstance]:
        return [i for n, i in self.instances.items() if n.startswith(PREFIX)]

    def delete(self, scratch: ScratchInstance) -> None:
        self.trap()
        assert scratch.drill and scratch.identifier.startswith(PREFIX), f"{scratch} is live"
        self._become(scratch.identifier, status="deleting")
        self.clock.later(60, lambda: self._gone(scratch.identifier))
        self.trap()

    def _gone(self, name: str) -> None:
        self.instances.pop(name, None)

    # Playing

    def ports(self) -> DrillPorts:
        return DrillPorts(self.environment, self, self, self.drills, self.events, self.clock)

    def begin(self, id: str = "q4") -> Drill:
        return begin_drill(DrillStepInput("begin", id, "main"), ports=self.ports())

    def play(self, id: str = "q4") -> Drill:
        for _ in range(2000):
            with contextlib.suppress(Killed, RecordContested):
                moved = move_drill(id, ports=self.ports(), poll=15)
                if moved.done:
                    return self.drills.stored[id]
            self.clock.forward(15)
        raise AssertionError(self.drills.stored[id])
