"""A clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """Time in seconds, and what happens at which time."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.at

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen after so many seconds."""
        self._count += 1
        self._later.append((self.at + seconds, self._count, what))

    def forward(self, seconds: float) -> None:
        """Let time pass; what is due happens at its time, in order."""
        until = self.at + seconds
        while due := sorted(entry for entry in self._later if entry[0] <= until):
            at, number, what = due[0]
            self._later = [entry for entry in self._later if entry[1] != number]
            self.at = max(self.at, at)
            what()
        self.at = until
