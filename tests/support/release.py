"""What releases write down and ask, in memory: journal, approvals, nonces."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from candlefish.errors import InvalidInput
from candlefish.release.journal import Journal
from candlefish.release.model import (
    Approval,
    ApprovalAnswer,
    Release,
    ReleaseEntry,
    Status,
)
from candlefish.release.ports import JournalStore
from tests.support.events import FakeEvents


class FakeJournalStore:
    """`release.ports.JournalStore`."""

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.timeline: defaultdict[str, list[ReleaseEntry]] = defaultdict(list)

    def open(self, release: Release) -> None:
        # Through JSON, as the adapter does: what cannot be stored must not pass a test.
        stored = msgspec.json.decode(msgspec.json.encode(release), type=Release)
        self.releases.setdefault(release.id, stored)

    def read(self, release: str) -> Release:
        try:
            return self.releases[release]
        except KeyError:
            raise InvalidInput(f"there is no release {release!r}") from None

    def append(self, release: str, entry: ReleaseEntry) -> None:
        self.timeline[release].append(msgspec.json.decode(msgspec.json.encode(entry), type=ReleaseEntry))

    def set_status(self, release: str, status: Status) -> None:
        if release in self.releases:
            self.releases[release] = msgspec.structs.replace(self.releases[release], status=status)

    def entries(self, release: str) -> list[ReleaseEntry]:
        return sorted(self.timeline[release], key=lambda entry: entry.at)

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        mine = [release for release in self.releases.values() if release.service == service]
        return sorted(mine, key=lambda release: release.started_at, reverse=True)[:limit]


class FakeJournal(Journal):
    """The journal over a store in memory, or over another one, and a bus that remembers."""

    def __init__(self, store: JournalStore | None = None) -> None:
        self.memory = store if isinstance(store, FakeJournalStore) else FakeJournalStore()
        self.store = store or self.memory
        self.bus = FakeEvents()
        super().__init__(self.store, self.bus)

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

    def kinds(self, release: str) -> list[str]:
        """The kinds of a release's entries, in the order in which they were written."""
        return [entry.kind for entry in self.timeline[release]]


class FakeNonces:
    """`release.ports.Nonces`."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def first(self, nonce: str, until: float) -> bool:
        new = nonce not in self.used
        self.used.add(nonce)
        return new


class FakeApprovals:
    """`release.ports.Approvals`."""

    def __init__(self) -> None:
        self.stored: dict[str, Approval] = {}

    def ask(self, approval: Approval) -> None:
        self.stored[approval.release] = approval

    def read(self, release: str) -> Approval:
        try:
            return self.stored[release]
        except KeyError:
            raise InvalidInput(f"release {release!r} waits for no approval") from None

    def answer(self, release: str, token: str, status: ApprovalAnswer, by: str) -> Approval:
        approval = self.read(release)
        if approval.token == token and approval.status == "pending":
            self.stored[release] = msgspec.structs.replace(approval, status=status, by=by)
        return self.stored[release]
