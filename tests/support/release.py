"""The journal of releases as tests read it."""

from __future__ import annotations

from collections import defaultdict

from candlefish.measures import Uncounted
from candlefish.ports import Meter
from candlefish.release.journal import Journal
from candlefish.release.model import (
    Release,
    ReleaseEntry,
)
from candlefish.release.ports import JournalStore
from lab.memory.events import MemoryEvents
from lab.memory.release import MemoryJournalStore


class FakeJournal(Journal):
    """The journal over a store in memory, or over another one, and a bus that remembers."""

    def __init__(self, store: JournalStore | None = None, meter: Meter | None = None) -> None:
        self.memory = store if isinstance(store, MemoryJournalStore) else MemoryJournalStore()
        self.store = store or self.memory
        self.bus = MemoryEvents()
        super().__init__(self.store, self.bus, meter or Uncounted())

    @property
    def releases(self) -> dict[str, Release]:
        return self.memory.releases

    @property
    def timeline(self) -> defaultdict[str, list[ReleaseEntry]]:
        return self.memory.timeline

    @property
    def published(self) -> list[tuple[str, str]]:
        """Release and kind of each entry that went to the bus."""
        return [(str(detail["release"]), kind.partition(".")[2]) for kind, detail in self.bus.published]

    def entries(self, release: str) -> list[ReleaseEntry]:
        return self.store.entries(release)

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        return self.store.recent(service, limit)

    def reason(self, release: str, kind: str) -> str:
        """The reason of the last entry of that kind."""
        return [entry.reason for entry in self.entries(release) if entry.kind == kind][-1]

    def kinds(self, release: str) -> list[str]:
        """The kinds of a release's entries, in the order in which they were written."""
        return [entry.kind for entry in self.timeline[release]]
