"""How late the data plane is: time in which the machine, not a version, kept a request waiting.

A load balancer on AWS has machines of its own. The lab's shares one with all the rest, and where that is too busy, or
stands still, every answer is late. Told as a response time it would be evidence against whoever answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# A Pod's answer says how many seconds it took on purpose: those count, and what the machine added to them does not.
TAKES = "x-lab-takes"

_TICK_SECONDS = 0.05


class Lateness:
    """For how many seconds in all the event loop was held up, from what `watch` wakes too late by."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._past = 0.0
        self._due = float("inf")

    @property
    def total(self) -> float:
        """Seconds; what is being late right now is in it."""
        return self._past + max(0.0, self._clock() - self._due)

    async def watch(self) -> None:
        """Look for as long as the loop runs."""
        while True:
            self._due = self._clock() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self._past = self.total

    def timer(self) -> Timer:
        """Begin to take a time."""
        return Timer(self, self._clock)


class Timer:
    """A time that is being taken."""

    def __init__(self, lateness: Lateness, clock: Callable[[], float]) -> None:
        self._lateness, self._clock = lateness, clock
        self._began, self._late = clock(), lateness.total

    @property
    def late(self) -> float:
        """For how many of the seconds since then the loop was held up."""
        return self._lateness.total - self._late

    @property
    def seconds(self) -> float:
        """How many seconds passed since then, but for those."""
        return max(0.0, self._clock() - self._began - self.late)
