"""Drills and the newest audit, in memory."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.table.items import change_stored
from candlefish.backups.model import AuditReport
from candlefish.backups.record import Drill
from candlefish.errors import InvalidInput
from lab.memory.store import Store, kept


class MemoryDrills(Store):
    """`backups.ports.Drills` and `AuditReports`. `trap` runs before and after each change: the executor can die there."""

    def __init__(self, trap: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.trap = trap
        self.stored: dict[str, Drill] = {}
        self.report: AuditReport | None = None

    def read(self, id: str) -> Drill | None:
        found = self.stored.get(id)
        return found and kept(found)

    def create(self, drill: Drill) -> Drill:
        return kept(self.stored.setdefault(drill.id, kept(drill)))

    def update(self, id: str, change: Callable[[Drill], Drill]) -> Drill:
        self.trap()
        changed = change_stored(lambda: self._known(id), change, self._put, f"drill {id}")
        self.trap()
        return changed

    def _known(self, id: str) -> Drill:
        if (drill := self.read(id)) is None:
            raise InvalidInput(f"there is no drill {id!r}")
        return drill

    def _put(self, drill: Drill, seen: int) -> bool:
        return self.put_if(self.stored, drill.id, drill, seen)

    def recent(self, limit: int = 20) -> list[Drill]:
        drills = [kept(self.stored[id]) for id in sorted(self.stored)]
        return sorted(drills, key=lambda drill: -drill.started_at)[:limit]

    def latest(self) -> AuditReport | None:
        return self.report and kept(self.report)

    def store(self, report: AuditReport) -> None:
        self.report = kept(report)
