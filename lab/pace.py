"""How fast a lab lives: compressed while something is under way, at real speed when it rests.

Compressed time is for those who wait. A lab in which nobody waits for anything has nothing to gain from a minute
that takes a second: its rates pass as on AWS, and who looks for changes looks less often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Nothing has happened for so long, in seconds.
REST_AFTER = 30.0
# How long who looks for changes waits at least when the lab rests, in seconds.
_LEAST_PAUSE = 1.0


class Pace:
    """Whether something is under way. Thread-safe.

    Parameters
    ----------
    time_scale
        A minute takes 60 / time_scale seconds while something is.
    clock
        Seconds; monotonic.
    """

    def __init__(self, time_scale: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._time_scale = time_scale
        self._clock = clock
        self._lock = threading.RLock()
        self._resting = False
        self._stirred = clock()
        self.rest_after = REST_AFTER
        # Each says whether something is under way that nobody tells of while it lasts.
        self.under_way: list[Callable[[], bool]] = []
        # Told of every change: whether the lab rests from now on.
        self.changed: list[Callable[[bool], None]] = []
        # How often anything looked for changes.
        self.looks = 0

    @property
    def resting(self) -> bool:
        """Whether the lab rests."""
        return self._resting

    @property
    def scale(self) -> float:
        """By what a rate is divided now."""
        return 1.0 if self._resting else self._time_scale

    def stir(self) -> None:
        """Something happened: a call of somebody, a request, a change."""
        with self._lock:
            self._stirred = self._clock()
            if self._resting:
                self._set(False)

    def look(self) -> None:
        """Go to rest if there is nothing to stay up for."""
        if self._resting or not self._quiet():
            return
        lasts = any(lasts() for lasts in self.under_way)
        with self._lock:
            if lasts:
                self._stirred = self._clock()
            elif self._quiet():
                self._set(True)

    def _quiet(self) -> bool:
        return self._clock() - self._stirred >= self.rest_after

    def pause(self, seconds: float) -> float:
        """How long to wait until the next look at what changes, where `seconds` do while something is under way."""
        self.looks += 1
        return max(seconds, _LEAST_PAUSE) if self._resting else seconds

    def _set(self, resting: bool) -> None:
        self._resting = resting
        for tell in self.changed:
            tell(resting)
