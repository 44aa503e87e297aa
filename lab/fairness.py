"""Time limits on a machine that does not keep up: what it owes does not count.

The lab's limits (a function's timeout, a task's) are there for what hangs. On a machine with more to run than it has
processors everything takes longer, and a limit in plain seconds would end what is only slow. So a limit counts the time
in which nobody waited for a processor, and of the rest a tenth: what hangs is still found when the machine is never idle.
https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

_PRESSURE = Path("/proc/pressure/cpu")
# What counts of a time in which somebody waited for a processor.
LEAST = 0.1
# How long a stretch of time is looked at as one: so many seconds, or that part of what is left.
_STRETCH, _PART = 0.5, 0.05


def stalled() -> float:
    """For how many seconds in all somebody waited for a processor; 0 on a kernel that does not tell."""
    return _told("total") / 1e6


def pressure() -> float:
    """In how many percent of the last minute somebody waited for a processor; 0 on a kernel that does not tell."""
    return _told("avg60")


def _told(field: str) -> float:
    try:
        some = _PRESSURE.read_text().partition("\n")[0].split()[1:]
    except OSError:
        return 0.0
    return float(dict(pair.split("=") for pair in some)[field])


def within(wait: Callable[[float], bool], seconds: float) -> bool:
    """Call `wait` with a number of seconds until it is true; whether it was before the limit of `seconds`."""
    left = seconds
    while left > 0:
        stretch = min(left, max(_STRETCH, left * _PART), threading.TIMEOUT_MAX)
        before, began = stalled(), time.monotonic()
        if wait(stretch):
            return True
        took = max(time.monotonic() - began, 1e-9)
        owed = min((stalled() - before) / took, 1.0)
        # To come late is the machine's doing as well.
        left -= stretch * max(1.0 - owed, LEAST)
    return wait(0.0)


class Event(threading.Event):
    """An event whose waiting has such a limit."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or the limit is over; whether it is set."""
        if timeout is None:
            return super().wait()
        return within(super().wait, timeout)
