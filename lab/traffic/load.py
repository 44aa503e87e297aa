"""A load generator that accounts for every request.

It sends requests at a steady rate, open loop (a slow answer does not slow it down), over kept
connections, and notes for each: when, to which host, the status, who answered (version and Pod), and
how long it took. Status 0 is a request without an answer; `error` says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter, deque

import msgspec

from lab.traffic import http

_GIVE_UP_SECONDS = 60.0


class Sample(msgspec.Struct, frozen=True):
    """One request. `at` is epoch seconds, `seconds` how long it took."""

    at: float
    host: str
    status: int
    version: str
    pod: str
    seconds: float
    error: str = ""
    # Who refused: empty when a service answered.
    balancer: str = ""

    @property
    def failed(self) -> bool:
        """Whether a user would have seen a failure."""
        return self.status == 0 or self.status >= 500


class Load:
    """Sends `rate` requests per second in all, evenly over the hosts, until stopped; in its own thread."""

    def __init__(
        self, port: int, hosts: list[str], rate: float, path: str = "/", address: str = "127.0.0.1"
    ) -> None:
        self._port, self._hosts, self._rate, self._path, self._address = port, hosts, rate, path, address
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self.sent = 0
        self.samples: list[Sample] = []

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)
        self._thread.start()

    def stop(self) -> list[Sample]:
        """Stop sending, wait for the answers that are due, and return every sample."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join(_GIVE_UP_SECONDS + 5)
        return self.samples

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        while not self._halt.is_set():
            due = int((time.perf_counter() - began) * self._rate) + 1
            while self.sent < due:
                task = asyncio.create_task(self._one(self._hosts[self.sent % len(self._hosts)]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                self.sent += 1
            await asyncio.sleep(max(0.0, began + self.sent / self._rate - time.perf_counter()))
        await asyncio.gather(*tasks)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, host: str) -> None:
        at, began = time.time(), time.perf_counter()
        try:
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                head = await self._exchange(host)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            took = time.perf_counter() - began
            self.samples.append(Sample(at, host, 0, "", "", took, f"{type(error).__name__}: {error}"))
            return
        headers = head.headers
        self.samples.append(
            Sample(
                at,
                host,
                int(head.line.split(" ", 2)[1]),
                headers.get("x-version", ""),
                headers.get("x-pod", ""),
                time.perf_counter() - began,
                balancer=headers.get("x-lab-elb", ""),
            )
        )

    async def _exchange(self, host: str) -> http.Head:
        request = f"GET {self._path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lab-load\r\n\r\n".encode()
        while True:
            kept = bool(self._idle)
            if kept:
                reader, writer = self._idle.pop()
            else:
                reader, writer = await asyncio.open_connection(self._address, self._port, limit=http.MAX_HEAD)
            try:
                writer.write(request)
                head = await http.read_head(reader)
                if head is None:
                    raise ConnectionResetError("closed without an answer")
                await http.read_body(reader, head)
            except (OSError, asyncio.IncompleteReadError):
                writer.close()
                if kept:
                    continue
                raise
            except asyncio.CancelledError:
                writer.close()
                raise
            if head.closes:
                with contextlib.suppress(OSError):
                    writer.close()
            else:
                self._idle.append((reader, writer))
            return head


class Summary(msgspec.Struct, frozen=True):
    """Requests by version, those that failed by version and status, and the total."""

    total: int
    by_version: dict[str, int]
    failed: int
    failures: dict[str, int]


def summarise(
    samples: list[Sample], since: float = 0.0, until: float = float("inf"), host: str = ""
) -> Summary:
    """Account for every sample of a time span (epoch seconds) and host (all when empty)."""
    chosen = [s for s in samples if since <= s.at < until and (not host or s.host == host)]
    versions = Counter(s.version or "none" for s in chosen)
    failures = Counter(
        f"{s.version or s.balancer or 'none'}: {s.status or s.error}" for s in chosen if s.failed
    )
    return Summary(len(chosen), dict(versions), sum(failures.values()), dict(failures))
