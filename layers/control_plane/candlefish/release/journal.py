"""The journal: who asked for what and why, and everything that was decided and done.

A release is opened once; after that entries are only appended. Its status follows from its entries.
"""

from __future__ import annotations

import msgspec

from candlefish.errors import ControlPlaneError, InvalidInput, Unreadable
from candlefish.measures import Measure, Uncounted
from candlefish.ports import EventPublisher, Meter
from candlefish.release.measured import is_measured, measured_at, measured_by
from candlefish.release.model import PlanStep, Release, ReleaseEntry, Status
from candlefish.release.news import PUBLISHED, release_event
from candlefish.release.ports import JournalStore

UNCOUNTED = Uncounted()

# Which entries change the release's status. Entries of other kinds leave it as it is.
STATUS: dict[str, Status] = {
    "started": "running",
    "held": "held",
    "paused": "held",
    "resumed": "running",
    "approval_requested": "awaiting_approval",
    "approved": "running",
    "promoted": "promoted",
    # What it was before was lost with the record; its version is what serves.
    "record_rebuilt": "promoted",
    "rolling_back": "rolling_back",
    "rolled_back": "rolled_back",
    "refused": "refused",
}

# Whose reasons the release itself keeps. That of a rollback's end says where the traffic is.
EXPLAINED = frozenset({"rolling_back", "refused"})

# How far along a release is with each status. What is written late never brings it back.
STAGE: dict[Status, int] = {
    "running": 0,
    "held": 0,
    "awaiting_approval": 0,
    "promoted": 1,
    "rolling_back": 2,
    "rolled_back": 3,
    "refused": 3,
}


def may_follow(status: Status) -> frozenset[Status]:
    """The statuses that this one may follow."""
    return frozenset(each for each, stage in STAGE.items() if stage <= STAGE[status])


def _over(kind: str, status: Status) -> frozenset[Status]:
    """The statuses that one may take the place of that follows from an entry of a kind.

    People pause and resume also while a question is open, which stays open.
    """
    return {"paused": frozenset[Status]({"running"}), "resumed": frozenset[Status]({"held"})}.get(
        kind, may_follow(status)
    )


class Journal:
    """Writes timelines, and does what an entry leads to. `events` must never fail because of news."""

    def __init__(self, store: JournalStore, events: EventPublisher, meter: Meter = UNCOUNTED) -> None:
        self._store = store
        self._events = events
        self._meter = meter

    def open(self, release: Release) -> None:
        """Store a release; storing the same one again changes nothing."""
        if self._store.open(release) and release.status == "refused":
            self._meter.measure([Measure("ReleasesRefused", service=release.service)])

    def read(self, release: str) -> Release:
        """One release (`JournalStore.read`)."""
        return self._store.read(release)

    def find(self, release: str) -> Release | None:
        """One release; None where nobody opened it, or nobody can read it any more."""
        try:
            return self._store.read(release)
        except (InvalidInput, Unreadable):
            return None

    def replan(self, seen: Release, plan: tuple[PlanStep, ...]) -> None:
        """Write a release's plan in place of the one that was seen (`JournalStore.replan`)."""
        self._store.replan(seen, plan)

    def entries(self, release: str) -> list[ReleaseEntry]:
        """All entries of a release, oldest first."""
        return self._store.entries(release)

    def verdict(self, release: str) -> ReleaseEntry | None:
        """What the judge of a release said last; None where it has said nothing."""
        judged = [entry for entry in self._store.entries(release) if entry.kind == "judged"]
        return judged[-1] if judged else None

    def append(self, release: str, entry: ReleaseEntry) -> None:
        """Publish an entry where its kind says so, add it, and let the status follow it.

        In this order, so that whoever finds an entry knows that people were told. An entry of a release that
        cannot be found is kept and tells nobody. What a status counts for is counted by the one write that changed it,
        so that nothing is counted twice, whoever tries again.
        """
        entry = entry.fit()
        published = entry.kind in PUBLISHED
        subject = self.find(release) if published or is_measured(entry.kind) else None
        changed = self._publish(subject, entry) if published and subject else None
        self._store.append(release, entry)
        if subject and is_measured(entry.kind):
            self._meter.measure(measured_by(subject, entry))
        over = _over(entry.kind, changed) - {changed} if changed else frozenset[Status]()
        because = entry if entry.kind in EXPLAINED else None
        if subject and changed and self._store.set_status(release, changed, over=over, because=because):
            self._count(subject, changed, entry)

    def _count(self, release: Release, status: Status, entry: ReleaseEntry) -> None:
        try:
            before = self._store.entries(release.id) if status == "rolled_back" else []
        except ControlPlaneError as error:
            # Nothing fails because of a count.
            self._meter.miss(f"what release {release.id} had reached when it was taken back: {error}")
            before = []
        self._meter.measure(measured_at(release, status, entry, before))

    def _publish(self, subject: Release, entry: ReleaseEntry) -> Status | None:
        """Tell of an entry; the status that follows from it, where that is another than before."""
        status = STATUS.get(entry.kind, subject.status)
        if subject.status not in _over(entry.kind, status):
            status = subject.status
        self._events.publish(*release_event(msgspec.structs.replace(subject, status=status), entry))
        return status if status != subject.status else None

    def tell_end(self, release: str, why: str, at: float) -> None:
        """Write the end of a release that failed before it had its service, unless it has been written.

        Whoever refused it could not write so; a release that had its service is ended by its rollback.
        """
        known = self.find(release)
        if known is None or known.generation > 0:
            return
        if not any(entry.kind == "refused" for entry in self._store.entries(release)):
            self.append(release, ReleaseEntry(at, "refused", why))
