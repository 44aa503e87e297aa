"""What audits, drills and the probe need of the world, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.backups.model import AuditReport, Backups, ProbeTarget, ScratchInstance
from candlefish.backups.record import Drill
from candlefish.catalog.model import Database
from candlefish.errors import InvalidInput, Unavailable


class FakeDrills:
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


class FakeAuditReports:
    """`backups.ports.AuditReports`."""

    def __init__(self) -> None:
        self.report: AuditReport | None = None

    def latest(self) -> AuditReport | None:
        return self.report

    def store(self, report: AuditReport) -> None:
        self.report = report


class FakeBackupReader:
    """`backups.ports.BackupReader`: what is kept is what a test says."""

    def __init__(self, backups: Backups) -> None:
        self.backups = backups

    def read(self) -> Backups:
        return self.backups


class FakeInspector:
    """`backups.ports.Inspector`: what `finding` gives for a restored database, or raises."""

    def __init__(self, finding: Callable[[], dict[str, Any]]) -> None:
        self.finding = finding
        self.secrets: list[str] = []

    def trap(self) -> None:
        """Where the executor can die."""

    def inspect(self, database: Database, scratch: ScratchInstance) -> dict[str, Any]:
        self.trap()
        self.secrets.append(scratch.secret)
        return dict(self.finding())


class FakeSql:
    """`backups.ports.Sql` of a database with a sentinel and two tables; remembers what it was asked."""

    def __init__(self, fails: bool = False) -> None:
        self.targets: list[ProbeTarget] = []
        self.asked: list[str] = []
        self.fails = fails

    @contextmanager
    def connect(self, target: ProbeTarget) -> Iterator[FakeSql]:
        self.targets.append(target)
        if self.fails:
            raise Unavailable("the database does not answer")
        yield self

    def execute(self, sql: str) -> list[tuple[str | None, ...]]:
        self.asked.append(sql)
        if "regclass" in sql:
            return [("t",)]
        if "sentinel" in sql and sql.startswith("select"):
            return [("1000.5", "7")]
        if "pg_class" in sql:
            return [("public.orders",), ("public.users",)]
        if "count(*)" in sql:
            return [("21",)]
        return [("5", "1001.5", None)]
