"""What audits, drills and the probe read, as told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from candlefish.backups.model import Backups, ProbeTarget, ScratchInstance
from candlefish.catalog.model import Database
from candlefish.errors import Unavailable


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
