"""What people look back on, over the other stores in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from candlefish.adapters.table.history import require_cursor
from candlefish.release.model import SeenWindow
from candlefish.signals.model import LoggedSignal
from candlefish.views.ports import EntriesPortion, Glance, Portion, SignalsPortion
from lab.memory.release import MemoryApprovals, MemoryJournalStore, MemoryLooks
from lab.memory.store import kept, sortable

T = TypeVar("T")


class MemoryHistory:
    """`views.ports.ReleaseHistory`."""

    def __init__(
        self,
        journal: MemoryJournalStore,
        approvals: MemoryApprovals | None = None,
        looks: MemoryLooks | None = None,
    ) -> None:
        self.journal, self.approvals, self.looks = (
            journal,
            approvals or MemoryApprovals(),
            looks or MemoryLooks(),
        )

    def glances(self, releases: Sequence[str]) -> dict[str, Glance]:
        return {
            id: Glance(self.journal.releases.get(id), self.approvals.stored.get(id), self.looks.seen.get(id))
            for id in releases
        }

    def entries_of(self, release: str, limit: int, before: str = "") -> EntriesPortion:
        oldest = sorted(self.journal.timeline.get(release, ()), key=lambda entry: sortable(entry.at))
        keyed = [(f"{sortable(entry.at):020d}#{n:08d}", entry) for n, entry in enumerate(oldest)]
        entries, older = part_of(keyed, limit, before)
        return EntriesPortion(tuple(entries), older)

    def windows(self, release: str) -> list[SeenWindow]:
        return [window for _, window in sorted(self.looks.windows.get(release, {}).items())]

    def of_service(self, service: str, limit: int, before: str = "") -> Portion:
        return self._listed(self.journal.listed.get(service, ()), limit, before)

    def of_environment(self, limit: int, before: str = "") -> Portion:
        return self._listed([line for lines in self.journal.listed.values() for line in lines], limit, before)

    def _listed(self, lines: Sequence[tuple[int, str]], limit: int, before: str) -> Portion:
        ids, older = part_of([(f"{at:020d}#{id}", id) for at, id in sorted(lines)], limit, before)
        return Portion(tuple(ids), older)


class MemorySignalHistory:
    """`views.ports.SignalHistory` over the lines of a `MemorySignalLog`."""

    def __init__(self, lines: Sequence[LoggedSignal]) -> None:
        self.logged = lines

    def lines(self, limit: int, now: float, before: str = "") -> SignalsPortion:
        oldest = sorted(self.logged, key=lambda line: line.at)
        keyed = [(f"{sortable(line.at):020d}#{n:08d}", line) for n, line in enumerate(oldest)]
        lines, older = part_of(keyed, limit, before)
        return SignalsPortion(tuple(kept(line) for line in lines), older)

    def lately(self, limit: int, now: float, since: float) -> SignalsPortion:
        found = self.lines(limit, now)
        lines = tuple(line for line in found.lines if line.at >= since)
        return SignalsPortion(lines, found.older if len(lines) == limit else "")


def part_of(keyed: Sequence[tuple[str, T]], limit: int, before: str) -> tuple[list[T], str]:
    """The newest of what is sorted by key, before a cursor, and the next cursor."""
    if before:
        require_cursor(before)
    newest = [(key, each) for key, each in reversed(keyed) if not before or key < before]
    part = newest[:limit]
    return [each for _, each in part], part[-1][0] if len(newest) > limit else ""
