"""An application that writes through the database's endpoint all the time, and counts what it lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from candlefish.adapters.postgres import Connection, Login
from lab.databases.postgres import DATABASE, PASSWORD, USER

INTERVAL = 0.05


class Try(NamedTuple):
    """One row: when the write began and ended, and whether the database acknowledged it."""

    row: int
    began: float
    ended: float
    written: bool


class Application:
    """Writes a numbered row twenty times a second.

    It keeps its connection for as long as that lasts, resolves the endpoint anew after the record's `ttl`, and
    remembers every row that the database acknowledged.
    """

    def __init__(self, resolve: Callable[[], str], ttl: float) -> None:
        self._resolve = resolve
        self._ttl = ttl
        self._resolved: tuple[float, str] = (-ttl, "")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="application", daemon=True)
        self.tries: list[Try] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection: Connection | None = None
        row = 0
        while not self._stop.wait(INTERVAL):
            row += 1
            began, written = time.time(), True
            try:
                connection = connection or _connect(self._host(), 2.0)
                connection.execute(f"insert into orders (n, at) values ({row}, clock_timestamp())")
            except Exception:  # noqa: BLE001 - whatever it is, the application could not write
                written = False
                if connection is not None:
                    with contextlib.suppress(Exception):
                        connection.close()
                connection = None
            self.tries.append(Try(row, began, time.time(), written))

    def wait_until_it_writes(self, seconds: float = 300.0) -> None:
        """Wait for a row that is begun from now on and written.

        Raises
        ------
        TimeoutError
            There was none.
        """
        now, deadline = time.time(), time.monotonic() + seconds
        while not any(one.written and one.began >= now for one in self.tries[-5:]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the application could write nothing for {seconds:.0f} s")
            time.sleep(INTERVAL)

    def _host(self) -> str:
        at, host = self._resolved
        if time.monotonic() - at > self._ttl:
            host = self._resolve()
            self._resolved = (time.monotonic(), host)
        return host

    def report(self, since: float) -> dict[str, Any]:
        """What it saw since then: how long it could not write, and which acknowledged rows are gone.

        What a busy machine adds between two rows is in `downtime`, and not in what is `_at_least` so: from the end
        of the first failed or lost row to the beginning of the last. Empties the table, for whoever writes next.
        """
        with _connect(self._resolve()) as sql:
            kept = {int(str(n)) for (n,) in sql.execute("select n from orders")}
            sql.execute("truncate orders")
        gone = [one for one in self.tries if one.written and one.row not in kept]
        downtime, failed = self._outage(since)
        return {
            "writes": len(self.tries),
            "failed": sum(not one.written and one.ended >= since for one in self.tries),
            "downtime": round(downtime, 2),
            "downtime_at_least": _between(failed),
            "acknowledged_but_lost": len(gone),
            "loss_at_least": _between(gone),
        }

    def _outage(self, since: float) -> tuple[float, list[Try]]:
        """The longest stretch without a successful write: its seconds, and the tries in it."""
        tries = [one for one in self.tries if one.ended >= since - 1]
        good = [place for place, one in enumerate(tries) if one.written]
        stretches = [(tries[b].ended - tries[a].ended, tries[a + 1 : b]) for a, b in pairwise(good)]
        return max(stretches, default=(0.0, []), key=itemgetter(0))


def _between(tries: Sequence[Try]) -> float:
    """Seconds from the end of the first to the beginning of the last."""
    return round(max(0.0, tries[-1].began - tries[0].ended), 3) if tries else 0.0


def _connect(host: str, timeout: float = 10.0) -> Connection:
    return Connection(Login(host, USER, PASSWORD, DATABASE), timeout)
