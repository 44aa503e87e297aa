"""Looking until something is so, the more rarely the longer a look takes.

Whoever looks at a lab makes it work. On a machine that does not keep up, looks as frequent as on a fast one would be
most of what it does. And what a machine is late by counts a tenth (`lab.fairness`): only what hangs is waited for in vain.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from lab.fairness import LEAST, stalled

# Seconds of rest for each second of looking: looks take a fifth of a waiter's time at most.
_REST = 4.0


def looks(seconds: float, every: float = 0.2) -> Iterator[None]:
    """Go round for so many seconds, or until the caller leaves the loop; each round is one look.

    `every` are the seconds between looks where looking costs little.
    """
    since, owed = time.monotonic(), stalled()
    while (began := time.monotonic()) - since < seconds + (stalled() - owed) * (1 - LEAST):
        yield
        took = time.monotonic() - began
        time.sleep(max(every, took * _REST))
