"""Where services' records and stable versions are kept, in memory."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.table.items import change_stored
from candlefish.errors import (
    NotOnboarded,
)
from candlefish.service.model import Version
from candlefish.service.ports import Changed
from candlefish.service.record import (
    ServiceRecord,
)


class MemoryRecords:
    """`ports.Records`. `between` runs between each read and write, as another writer would."""

    def __init__(self, *records: ServiceRecord) -> None:
        self.stored = {record.service: record for record in records}
        self.between: Callable[[], None] = lambda: None
        self.reads = 0
        self.writes = 0

    def get(self, service: str) -> ServiceRecord:
        self.reads += 1
        try:
            return self.stored[service]
        except KeyError:
            raise NotOnboarded(f"{service} is not onboarded") from None

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        return change_stored(lambda: self.get(service), change, self._put, f"the record of {service}")

    def _put(self, record: ServiceRecord, seen: int) -> bool:
        self.between()
        if self.stored[record.service].revision != seen:
            return False
        self.writes += 1
        self.stored[record.service] = record
        return True

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return self.stored.setdefault(record.service, record)

    def all(self) -> list[ServiceRecord]:
        return [self.stored[name] for name in sorted(self.stored)]


class MemoryStableVersions:
    """`service.ports.StableVersions`."""

    def __init__(self) -> None:
        self.known: dict[str, Version] = {}
        self._at: dict[str, float] = {}

    def read(self, service: str) -> Version | None:
        return self.known.get(service)

    def write(self, service: str, version: Version, at: float) -> None:
        if at >= self._at.get(service, at):
            self.known[service], self._at[service] = version, at
