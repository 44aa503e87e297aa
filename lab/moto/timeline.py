"""What happens later: changes of state that AWS works on for minutes, applied when their time has come.

Nothing runs in the background. Whoever looks at a resource first lets everything that is due happen,
in order, so that what one sees is right at any moment and tests decide how fast time passes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Timeline:
    """Changes by the time at which they are due.

    Parameters
    ----------
    time_scale
        A minute of AWS takes 60 / time_scale seconds.
    clock
        Seconds; monotonic.
    """

    def __init__(self, time_scale: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.time_scale = time_scale
        self.clock = clock
        self._lock = threading.RLock()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0

    def later(self, seconds: float, change: Callable[[], None]) -> None:
        """Let a change happen after this many of AWS's seconds."""
        with self._lock:
            self._made += 1
            self._due.append((self.clock() + seconds / self.time_scale, self._made, change))

    def settle(self) -> None:
        """Let everything happen that is due."""
        with self._lock:
            while due := sorted(entry for entry in self._due if entry[0] <= self.clock()):
                first = due[0]
                self._due.remove(first)
                first[2]()

    @property
    def pending(self) -> bool:
        """Whether anything is to happen."""
        with self._lock:
            return bool(self._due)

    def settling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, which first lets everything happen that is due."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.settle()
            return original(*args, **kwargs)

        return call

    def clear(self) -> None:
        """Forget everything that was to happen."""
        with self._lock:
            self._due.clear()
