"""The store and the bus of capacity, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from candlefish.capacity.model import CapacityRecord
from candlefish.capacity.ports import CapacityChanged
from candlefish.errors import RecordContested


class MemoryStore:
    """`capacity.ports.CapacityStore`. `between` runs between each read and write, as another writer would."""

    def __init__(self, environment: str) -> None:
        self.record = CapacityRecord(environment)
        self.between: Callable[[], None] = lambda: None
        self.writes = 0

    def get(self) -> CapacityRecord:
        return self.record

    def update(self, change: Callable[[CapacityRecord], CapacityChanged]) -> CapacityChanged:
        for _ in range(8):
            before = self.record
            changed: Any = change(before)
            after, answer = changed if isinstance(changed, tuple) else (changed, None)
            if after == before:
                return cast(CapacityChanged, changed)
            self.between()
            if self.record.revision == before.revision:
                self.writes += 1
                # Through JSON, as the real store keeps it.
                kept = msgspec.structs.replace(after, revision=before.revision + 1)
                self.record = msgspec.json.decode(msgspec.json.encode(kept), type=CapacityRecord)
                return cast(
                    CapacityChanged, (self.record, answer) if isinstance(changed, tuple) else self.record
                )
        raise RecordContested(f"the capacity of {self.record.environment} was changed by others every time")


class MemoryEvents:
    """`ports.EventPublisher`."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.published += [(kind, dict(detail)) for kind, detail in events]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.published]
