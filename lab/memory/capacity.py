"""What is written down of an environment's capacity, in memory."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.capacity.model import CapacityRecord
from candlefish.capacity.ports import CapacityChanged


class MemoryCapacityStore:
    """`capacity.ports.CapacityStore`. `between` runs between each read and write, as another writer would."""

    def __init__(self, environment: str) -> None:
        self.record = CapacityRecord(environment)
        self.between: Callable[[], None] = lambda: None
        self.writes = 0

    def get(self) -> CapacityRecord:
        return self.record

    def update(self, change: Callable[[CapacityRecord], CapacityChanged]) -> CapacityChanged:
        return change_stored(self.get, change, self._put, f"the capacity of {self.record.environment}")

    def _put(self, record: CapacityRecord, seen: int) -> bool:
        self.between()
        if self.record.revision != seen:
            return False
        self.writes += 1
        # Through JSON, as the real store keeps it.
        self.record = msgspec.json.decode(msgspec.json.encode(record), type=CapacityRecord)
        return True
