"""What audits and the probe read, as told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from candlefish.backups.model import Backups, ProbeTarget
from candlefish.errors import Unavailable


class FakeBackupReader:
    """`backups.ports.BackupReader`: what is kept is what a test says."""

    def __init__(self, backups: Backups) -> None:
        self.backups = backups

    def read(self) -> Backups:
        return self.backups


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
