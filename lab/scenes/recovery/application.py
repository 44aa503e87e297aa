"""An application that writes through the database's endpoint all the time, and counts what it lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from candlefish.adapters.postgres import Connection, Login
from lab.databases.postgres import DATABASE, PASSWORD, USER

INTERVAL = 0.05


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
        # (when, row or None when it failed).
        self.tries: list[tuple[float, int | None]] = []

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
            try:
                connection = connection or _connect(self._host(), 2.0)
                connection.execute(f"insert into orders (n, at) values ({row}, clock_timestamp())")
                self.tries.append((time.time(), row))
            except Exception:  # noqa: BLE001 - whatever it is, the application could not write
                self.tries.append((time.time(), None))
                if connection is not None:
                    with contextlib.suppress(Exception):
                        connection.close()
                connection = None

    def _host(self) -> str:
        at, host = self._resolved
        if time.monotonic() - at > self._ttl:
            host = self._resolve()
            self._resolved = (time.monotonic(), host)
        return host

    def report(self, since: float) -> dict[str, Any]:
        """What it saw since then: how long it could not write, and which acknowledged rows are gone.

        Empties the table, for whoever writes next.
        """
        with _connect(self._resolve()) as sql:
            kept = {int(str(n)) for (n,) in sql.execute("select n from orders")}
            sql.execute("truncate orders")
        gone = sorted(at for at, row in self.tries if row is not None and row not in kept)
        return {
            "writes": len(self.tries),
            "failed": sum(1 for at, row in self.tries if row is None and at >= since),
            "downtime": round(self._downtime(since), 2),
            "acknowledged_but_lost": len(gone),
            "loss": round(gone[-1] - gone[0], 3) if gone else 0.0,
        }

    def _downtime(self, since: float) -> float:
        """The longest stretch without a successful write, seconds."""
        good = [at for at, row in self.tries if row is not None and at >= since - 1]
        return max((b - a for a, b in pairwise(good)), default=0.0)


def _connect(host: str, timeout: float = 10.0) -> Connection:
    return Connection(Login(host, USER, PASSWORD, DATABASE), timeout)
