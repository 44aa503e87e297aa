"""The process that carries the traffic, as its parent sees it: started, told what to serve, heard."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from lab import ROOT
from lab.traffic.dataplane import Settings


class DataPlaneProcess:
    """Runs `lab.traffic.dataplane`. Both sides speak in lines of JSON. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._writing = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.traffic.dataplane", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self._connection = ours
        self._write(settings)

    def send(self, kind: str, value: Any) -> None:
        """Tell it something; the kinds are those of `DataPlane.handle`."""
        self._write({"kind": kind, "value": value})

    def reports(self) -> Iterator[tuple[str, Any]]:
        """What it reports, as (kind, value), until it ends."""
        with self._connection.makefile("rb") as lines:
            try:
                for line in lines:
                    message = msgspec.json.decode(line)
                    yield message["kind"], message["value"]
            except OSError:
                return

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold it still, as a machine does that is far too busy."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Hang up, which ends it."""
        # Closing would wait for whoever reads the reports.
        self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, message: Any) -> None:
        with self._writing:
            self._connection.sendall(msgspec.json.encode(message) + b"\n")
