"""That something goes on: a spinner with the seconds at a terminal, now and then a line in a log, nothing where it is quick.

All of it goes to the error stream: what a command prints is what was asked for.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cli.terminal import echo, takes_escapes

# What is through within so many seconds says nothing.
QUICK_AT_TERMINAL, QUICK_IN_LOG = 0.6, 2.0
# A log is told again after so many seconds.
AGAIN = 30.0
# A variable that leaves it out.
QUIET = "CANDLEFISH_QUIET"
_SIGNS = "|/-\\"
_ERASE = "\r\x1b[2K"
# While a screen has the terminal, and while another progress has its line.
_taken = threading.Lock()


class Progress:
    """One thing that takes its time. `says` is changed as it comes along."""

    def __init__(self, says: str) -> None:
        self.says = says
        self._began = time.monotonic()
        self._over = threading.Event()
        self._line = threading.Lock()
        self._drawn = False
        self._fancy = takes_escapes(sys.stderr)
        self._thread = threading.Thread(target=self._spin if self._fancy else self._log, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        with self._line:
            self._erase()

    def tell(self, line: str) -> None:
        """Print a line for people, above what turns."""
        with self._line:
            self._erase()
            echo(line)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def _spin(self) -> None:
        turn = 0
        wait = QUICK_AT_TERMINAL
        while not self._over.wait(wait):
            wait = 0.25
            text = f"{_SIGNS[turn % len(_SIGNS)]} {self.says} ({self.seconds:.0f} s)"
            width = shutil.get_terminal_size().columns - 1
            with self._line:
                if not self._over.is_set():
                    from cli.screen.cells import clean, cut

                    sys.stderr.write(f"{_ERASE}{cut(clean(text), width)}")
                    sys.stderr.flush()
                    self._drawn = True
            turn += 1

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
            self._drawn = False

    def _log(self) -> None:
        if self._over.wait(QUICK_IN_LOG):
            return
        echo(f"{self.says} ...", err=True)
        while not self._over.wait(AGAIN):
            echo(f"{self.says}: {self.seconds:.0f} s so far", err=True)


@contextmanager
def progress(says: str) -> Iterator[None]:
    """Say that something goes on, unless somebody says something already, or nobody wants to hear it."""
    if os.environ.get(QUIET) or not _taken.acquire(blocking=False):
        yield
        return
    try:
        with Progress(says):
            yield
    finally:
        _taken.release()


@contextmanager
def hushed() -> Iterator[None]:
    """Nothing of that: the terminal is a screen's."""
    with _taken:
        yield
