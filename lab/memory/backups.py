"""Drills and the newest audit, in memory."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.backups.model import AuditReport
from candlefish.backups.record import Drill
from candlefish.errors import InvalidInput


class MemoryDrills:
    """`backups.ports.Drills`. `trap` runs before and after each change: the executor can die there."""

    def __init__(self, trap: Callable[[], None] = lambda: None) -> None:
        self.trap = trap
        self.stored: dict[str, Drill] = {}

    def read(self, id: str) -> Drill | None:
        return self.stored.get(id)

    def create(self, drill: Drill) -> Drill:
        return self.stored.setdefault(drill.id, drill)

    def update(self, id: str, change: Callable[[Drill], Drill]) -> Drill:
        self.trap()
        changed = change_stored(lambda: self._known(id), change, self._put, f"drill {id}")
        self.trap()
        return changed

    def _known(self, id: str) -> Drill:
        try:
            return self.stored[id]
        except KeyError:
            raise InvalidInput(f"there is no drill {id!r}") from None

    def _put(self, drill: Drill, seen: int) -> bool:
        if self.stored[drill.id].revision != seen:
            return False
        # Through JSON, as the adapter keeps it.
        self.stored[drill.id] = msgspec.json.decode(msgspec.json.encode(drill), type=Drill)
        return True

    def recent(self, limit: int = 20) -> list[Drill]:
        return sorted(self.stored.values(), key=lambda drill: -drill.started_at)[:limit]


class MemoryAuditReports:
    """`backups.ports.AuditReports`."""

    def __init__(self) -> None:
        self.report: AuditReport | None = None

    def latest(self) -> AuditReport | None:
        return self.report

    def store(self, report: AuditReport) -> None:
        self.report = report
