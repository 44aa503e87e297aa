"""A load generator that accounts for every request.

It sends requests at a steady rate over kept connections. Open loop: a slow answer does not slow it down, until four
seconds' requests wait for theirs. It notes for each: when, to which host, the status, who answered (version and Pod),
and how long it took. Status 0 is a request without an answer; `error` says why.

It sends from a process of its own (`lab.traffic.sender`): what keeps the lab busy holds no user up.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping

import msgspec

from lab import ROOT

GIVE_UP_SECONDS = 60.0


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
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
    path: str = "/"

    @property
    def failed(self) -> bool:
        """Whether a user would have seen a failure."""
        return self.status == 0 or self.status >= 500


class Users(msgspec.Struct, frozen=True):
    """Who asks for what: `rate` requests per second in all, evenly over the hosts, and over the paths by their shares."""

    port: int
    hosts: list[str]
    rate: float
    paths: dict[str, float]
    address: str


class Told(msgspec.Struct, frozen=True):
    """How many requests were sent so far, and those that were answered since the last report."""

    sent: int
    samples: list[Sample]


class Load:
    """Sends `rate` requests per second in all, evenly over the hosts, until stopped.

    `paths` are what is asked for, each with how much of it relative to the others.
    """

    def __init__(
        self,
        port: int,
        hosts: list[str],
        rate: float,
        paths: Mapping[str, float] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self._users = Users(port, hosts, rate, dict(paths or {"/": 1.0}), address)
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: threading.Thread | None = None
        self.sent = 0
        self.samples: list[Sample] = []

    def start(self) -> None:
        """Begin to send."""
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.traffic.sender", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self._connection.sendall(msgspec.json.encode(self._users) + b"\n")
        self._listening = threading.Thread(
            target=self._listen, args=(self._connection,), name="load", daemon=True
        )
        self._listening.start()

    def stop(self) -> list[Sample]:
        """Stop sending, wait for the answers that are due, and return every sample. Once more changes nothing."""
        connection, self._connection = self._connection, None
        if connection is not None and self._process is not None and self._listening is not None:
            connection.shutdown(socket.SHUT_WR)
            self._listening.join()
            connection.close()
            self._process.wait()
        return self.samples

    def _listen(self, connection: socket.socket) -> None:
        decoder = msgspec.json.Decoder(Told)
        with connection.makefile("rb") as lines:
            for line in lines:
                told = decoder.decode(line)
                self.samples += told.samples
                self.sent = told.sent


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
