"""The sentinel: a row that is written every minute, so that any copy of the data tells its own age.

Two small tables in a schema of our own, whose name is no role's (a schema called like the role would catch its tables). `sentinel` has one row, the newest heartbeat. `epochs` has a
row for each failover, written once on the database that took over, with the newest heartbeat that it
found: what lies between that and the moment clients were cut off is what was lost at most.
"""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.backups.ports import Sql
from candlefish.errors import BackupUnusable

SCHEMA = """
create schema if not exists candlefish_recovery;
create table if not exists candlefish_recovery.sentinel
    (id int primary key check (id = 1), at timestamptz not null, beats bigint not null);
create table if not exists candlefish_recovery.epochs
    (epoch bigint primary key, written_at timestamptz not null, last_beat timestamptz);
"""
BEAT = """
insert into candlefish_recovery.sentinel (id, at, beats) values (1, clock_timestamp(), 1)
on conflict (id) do update set at = excluded.at, beats = candlefish_recovery.sentinel.beats + 1
returning extract(epoch from at), beats
"""
# One implicit transaction: the heartbeat that is remembered is the one that was found.
BEGIN = """
insert into candlefish_recovery.epochs (epoch, written_at, last_beat)
values ({epoch}, clock_timestamp(), (select at from candlefish_recovery.sentinel where id = 1))
on conflict (epoch) do nothing;
select epoch, extract(epoch from written_at), extract(epoch from last_beat)
from candlefish_recovery.epochs where epoch = {epoch}
"""
READ = "select extract(epoch from at), beats from candlefish_recovery.sentinel where id = 1"
TABLES = """
select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not like 'pg\\_%'
and n.nspname not in ('information_schema', 'candlefish_recovery')
order by 1
"""


class Inspection(msgspec.Struct, frozen=True):
    """What was found in a restored database. `beat_at` is epoch seconds."""

    beat_at: float
    beats: int
    tables: int
    rows: int


def beat(sql: Sql) -> dict[str, Any]:
    """Write a heartbeat; makes the tables when they are missing."""
    sql.execute(SCHEMA)
    at, beats = sql.execute(BEAT)[0]
    return {"at": float(at or 0), "beats": int(beats or 0)}


def begin_epoch(sql: Sql, epoch: int) -> dict[str, Any]:
    """Write the row of a failover once, and read it back."""
    sql.execute(SCHEMA)
    number, written, last = sql.execute(BEGIN.format(epoch=int(epoch)))[0]
    return {
        "epoch": int(number or 0),
        "written_at": float(written or 0),
        "last_beat": None if last is None else float(last),
    }


def inspect(sql: Sql) -> Inspection:
    """Read the sentinel and every row of every table of the application.

    Raises
    ------
    BackupUnusable
        There is no sentinel, the sentinel was never written, or a page cannot be read.
    """
    exists = sql.execute("select to_regclass('candlefish_recovery.sentinel') is not null")[0][0]
    rows = sql.execute(READ) if exists == "t" else []
    if not rows:
        raise BackupUnusable(
            "the restored database has no sentinel row: it is empty, or of before the heartbeat was switched on"
        )
    tables = [str(name) for (name,) in sql.execute(TABLES)]
    # Counting reads every page of a table, and PostgreSQL checks each one's checksum.
    total = sum(int(sql.execute(f"select count(*) from {table}")[0][0] or 0) for table in tables)
    return Inspection(float(rows[0][0] or 0), int(rows[0][1] or 0), len(tables), total)
