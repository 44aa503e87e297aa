"""A region with snapshots for drills: restores take time, and the executor can die at each call."""

from __future__ import annotations

import contextlib

import msgspec

from candlefish.backups.model import PREFIX, DrillStepInput, ScratchInstance, Snapshot
from candlefish.backups.ports import DrillPorts
from candlefish.backups.record import Drill
from candlefish.backups.step_drill import begin_drill, move_drill
from candlefish.catalog.model import Database, Environment, ScratchSettings
from candlefish.errors import RecordContested
from lab.memory.backups import MemoryDrills
from lab.memory.events import MemoryEvents
from lab.memory.restores import MemoryInspector, MemoryRestores
from tests.support.clock import Clock
from tests.support.failover.catalog import ENVIRONMENT
from tests.support.failover.world import Killed

DATABASE = Database(
    name="main",
    identifier="orders",
    scratch=ScratchSettings(subnet_group="isolated", security_group="sg-0d0d0d0d"),
)


FOUND = {"beat_at": 1_000_000.0 - 3600 - 240, "beats": 5, "tables": 3, "rows": 70}


class Region(MemoryRestores, MemoryInspector):
    """Restores, and what is found inside; the live instance must never change."""

    def __init__(self) -> None:
        self.clock = Clock(1_000_000.0)
        MemoryRestores.__init__(self, self.clock, self.clock.later, "orders")
        MemoryInspector.__init__(self, lambda: dict(FOUND))
        self.environment: Environment = msgspec.structs.replace(ENVIRONMENT, databases=(DATABASE,))
        self.snapshots["orders"] = [
            Snapshot("rds:orders-1", self.clock.at - 3600),
            Snapshot("rds:orders-0", 1.0),
        ]
        self.drills = MemoryDrills(self.trap)
        self.events = MemoryEvents()
        self.calls = 0
        self.kill_at: set[int] = set()

    def trap(self) -> None:
        self.calls += 1
        if self.calls in self.kill_at:
            raise Killed(self.calls)

    def delete(self, scratch: ScratchInstance) -> None:
        # The instance would refuse; whoever asks has gone wrong already.
        assert scratch.drill and scratch.identifier.startswith(PREFIX), f"{scratch} is live"
        super().delete(scratch)

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
                # What asks for no other look ends the machine.
                assert moved.look_again, moved
            self.clock.forward(15)
        raise AssertionError(self.drills.stored[id])
