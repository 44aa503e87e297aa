"""What is written down of an environment's capacity, in memory."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.table.capacity import body_of
from candlefish.adapters.table.items import change_stored
from candlefish.capacity.model import CapacityRecord
from candlefish.capacity.ports import CapacityChanged
from lab.memory.store import Store, kept


class MemoryCapacityStore(Store):
    """`capacity.ports.CapacityStore`; as much as DynamoDB takes, and no more."""

    def __init__(self, environment: str) -> None:
        super().__init__()
        self.record = CapacityRecord(environment)
        self.writes = 0

    def get(self) -> CapacityRecord:
        return kept(self.record)

    def update(self, change: Callable[[CapacityRecord], CapacityChanged]) -> CapacityChanged:
        return change_stored(self.get, change, self._put, f"the capacity of {self.record.environment}")

    def _put(self, record: CapacityRecord, seen: int) -> bool:
        body_of(record)
        self.between()
        if self.record.revision != seen:
            return False
        self.writes += 1
        self.record = kept(record)
        return True
