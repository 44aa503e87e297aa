"""A drill against a real PostgreSQL standing in for the restored instance: a heartbeat is written,
the database dumped and restored, its age measured; a corrupt backup fails the drill.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.adapters.postgres import Connection, Login, PostgresError
from candlefish.backups import sentinel
from candlefish.backups.evidence import data_age
from candlefish.backups.model import ScratchInstance, Snapshot
from candlefish.catalog.model import Database
from candlefish.errors import BackupUnusable, NotAllowed, Unavailable
from lab.databases.postgres import DATABASE, PASSWORD, USER, PostgresFailed, Server, missing, place
from tests.support.drills import Region

pytestmark = [pytest.mark.skipif(bool(missing()), reason=missing())]


def login(server: Server) -> Login:
    return Login("127.0.0.1", USER, PASSWORD, DATABASE, server.port)


def connected(server: Server) -> Connection:
    return Connection(login(server))


@pytest.fixture(scope="module")
def live() -> Iterator[Server]:
    server = Server(place())
    server.create()
    with connected(server) as sql:
        sql.execute(
            "create table orders as select n, repeat('x', 200) as what from generate_series(1, 20000) n"
        )
        sentinel.beat(sql)
    yield server
    server.destroy()


class RealRegion(Region):
    """Restores a dump into a server of its own; the drill reads that."""

    def __init__(self, directory: Path, dump: Path, taken_at: float) -> None:
        super().__init__()
        self.clock.at = time.time()
        self.server = Server(directory)
        self.dump_file = dump
        self.snapshots["orders"] = [Snapshot("rds:orders-1", taken_at)]
        self.after_restore: Any = lambda server: None

    def _become(self, name: str, **changes: Any) -> None:
        if changes.get("address"):
            self.server.create()
            try:
                self.server.restore(self.dump_file)
                self.after_restore(self.server)
            except PostgresFailed:
                changes["status"] = "incompatible-restore"
        super()._become(name, **changes)

    def inspect(self, database: Database, scratch: ScratchInstance) -> dict[str, Any]:
        with connected(self.server) as sql:
            found: dict[str, Any] = msgspec.to_builtins(sentinel.inspect(sql))
            return found


@pytest.fixture
def directory() -> Iterator[Path]:
    made = place()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def drilled(live: Server, directory: Path) -> Iterator[Any]:
    made: list[RealRegion] = []

    def make() -> RealRegion:
        dump = directory / "backup" / "orders.dump"
        live.dump(dump)
        made.append(RealRegion(directory / "scratch", dump, time.time()))
        return made[-1]

    yield make
    for region in made:
        region.server.destroy()


def test_a_good_backup_is_read_to_its_last_row(live: Server, drilled: Any) -> None:
    with connected(live) as sql:
        last = sentinel.beat(sql)["at"]
    time.sleep(0.3)
    region = drilled()
    region.begin()
    drill = region.play()
    assert drill.outcome == "passed", drill.why
    assert (drill.evidence["tables"], drill.evidence["rows"]) == (1, 20000)
    # The age of the data comes from the data: the last heartbeat before the dump.
    assert drill.evidence["beat_at"] == pytest.approx(last, abs=1e-3)
    assert data_age(drill) == pytest.approx(drill.snapshot.at - last, abs=1e-3)
    assert data_age(drill) >= 0.3


def test_a_truncated_backup_fails_the_drill(drilled: Any) -> None:
    region = drilled()
    whole = region.dump_file.read_bytes()
    region.dump_file.write_bytes(whole[: len(whole) // 2])
    region.begin()
    drill = region.play()
    assert (drill.outcome, drill.why) == ("failed", "the restored instance is incompatible-restore")


def test_a_backup_without_the_sentinel_fails_the_drill(drilled: Any) -> None:
    region = drilled()

    def forget(server: Server) -> None:
        with connected(server) as sql:
            sql.execute("drop schema candlefish_recovery cascade")

    region.after_restore = forget
    region.begin()
    drill = region.play()
    assert drill.outcome == "failed"
    assert "the restored database has no sentinel row" in drill.why


def test_a_page_that_does_not_match_its_checksum_fails_the_drill(drilled: Any) -> None:
    region = drilled()

    def flip(server: Server) -> None:
        with connected(server) as sql:
            sql.execute("checkpoint")
            path = sql.execute("select pg_relation_filepath('orders')")[0][0]
        server.stop()
        file = server.data / str(path)
        data = bytearray(file.read_bytes())
        data[8192 * 5 + 4000] ^= 0xFF
        file.write_bytes(bytes(data))
        server.start()

    region.after_restore = flip
    region.begin()
    drill = region.play()
    assert drill.outcome == "failed"
    assert "says that its data is corrupt" in drill.why


# --- the connection --------------------------------------------------------------------------


def test_a_wrong_password_is_refused_by_both_sides(live: Server) -> None:
    with pytest.raises(NotAllowed, match="refuses the login of candlefish"):
        Connection(msgspec.structs.replace(login(live), password="wrong"))


def test_values_come_back_as_they_are(live: Server) -> None:
    with connected(live) as sql:
        assert sql.execute("select null, '', 'é', 1, E'a\\nb'") == [(None, "", "é", "1", "a\nb")]
        assert sql.execute("select 1 where false") == []
        assert sql.execute("select 1; select 2") == [("2",)]


def test_a_refused_statement_changes_nothing_and_the_connection_lives_on(live: Server) -> None:
    with connected(live) as sql:
        with pytest.raises(PostgresError, match="does not exist"):
            sql.execute(
                "insert into candlefish_recovery.epochs values (99, now(), now()); select nothing_there"
            )
        assert sql.execute("select count(*) from candlefish_recovery.epochs where epoch = 99") == [("0",)]


def test_an_epoch_is_written_once_and_remembers_the_beat_it_found(live: Server) -> None:
    with connected(live) as sql:
        found = sentinel.beat(sql)["at"]
        first = sentinel.begin_epoch(sql, 7)
        sentinel.beat(sql)
        assert sentinel.begin_epoch(sql, 7) == first
        assert first["last_beat"] == pytest.approx(found, abs=1e-6)


def test_a_replica_refuses_writes_as_something_that_passes_and_a_lost_server_too(
    live: Server, directory: Path
) -> None:
    replica = Server(directory / "replica")
    replica.replica_of(live)
    try:
        with connected(replica) as sql:
            with pytest.raises(Unavailable, match="read-only"):
                sentinel.begin_epoch(sql, 8)
            assert sentinel.inspect(sql).rows == 20000
            replica.stop()
            with pytest.raises(Unavailable):
                sql.execute("select 1")
    finally:
        replica.destroy()


def test_an_inspection_of_something_empty_is_no_inspection(directory: Path) -> None:
    server = Server(directory / "empty")
    server.create()
    try:
        with connected(server) as sql, pytest.raises(BackupUnusable, match="has no sentinel row"):
            sentinel.inspect(sql)
    finally:
        server.destroy()
