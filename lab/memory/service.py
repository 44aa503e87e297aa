"""Where services' records and stable versions are kept, in memory."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.table.items import change_stored
from candlefish.errors import NotOnboarded, Unreadable
from candlefish.service.model import Version
from candlefish.service.ports import Changed
from candlefish.service.record import AllRecords, ServiceRecord, UnreadableRecord
from lab.memory.store import Store, kept


class MemoryRecords(Store):
    """`service.ports.ServiceRecords` of one environment."""

    def __init__(self, *records: ServiceRecord) -> None:
        super().__init__()
        self.stored = {record.service: record for record in records}
        # Services whose record cannot be read, and why.
        self.unreadable: dict[str, str] = {}
        self.reads = 0
        self.writes = 0

    def get(self, service: str) -> ServiceRecord:
        self.reads += 1
        if service in self.unreadable:
            raise Unreadable(self.unreadable[service])
        try:
            return kept(self.stored[service])
        except KeyError:
            raise NotOnboarded(f"{service} is not onboarded") from None

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        return change_stored(lambda: self.get(service), change, self._put, f"the record of {service}")

    def _put(self, record: ServiceRecord, seen: int) -> bool:
        put = self.put_if(self.stored, record.service, record, seen)
        self.writes += put
        return put

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return kept(self.stored.setdefault(record.service, kept(record)))

    def all(self) -> AllRecords:
        readable = (kept(self.stored[name]) for name in sorted(self.stored) if name not in self.unreadable)
        return AllRecords(
            tuple(readable), tuple(UnreadableRecord(*each) for each in sorted(self.unreadable.items()))
        )


class MemoryStableVersions:
    """`service.ports.StableVersions` of one region."""

    def __init__(self) -> None:
        self.known: dict[str, Version] = {}
        self._at: dict[str, float] = {}

    def read(self, service: str) -> Version | None:
        return self.known.get(service)

    def write(self, service: str, version: Version, at: float) -> None:
        if at >= self._at.get(service, at):
            self.known[service], self._at[service] = kept(version), at
