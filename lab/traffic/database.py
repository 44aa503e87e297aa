"""A database that all versions of a service share: what one version asks too much of it, all of them feel."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

# What a pool of connections bears beyond its capacity, in seconds of it, before it is exhausted; and how much of that
# it must have won back until it is well again. A machine that stands still for a moment overloads nobody's database.
_RESERVE_SECONDS, _WELL_AGAIN = 2.0, 0.1


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shared database can do. Shares are of requests, whichever version they came to."""

    # Queries a second; None: as many as anybody wants.
    capacity: float | None = None
    # Asked for more, it leaves so many requests without a connection.
    sheds: float = 0.2
    # It is out: so many requests fail, whatever anybody asks of it.
    out: float = 0.0


class SharedDatabase:
    """Answers requests as its `Database` can; the clock counts seconds."""

    def __init__(
        self, database: Database, chance: random.Random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._chance, self._clock = chance, clock
        self._at = clock()
        self._reserve = self._full
        self.exhausted = False

    @property
    def _full(self) -> float:
        return _RESERVE_SECONDS * (self._database.capacity or 0.0)

    def answers(self, queries: float) -> bool:
        """Whether it serves a request that makes so many queries; one that makes none does not need it."""
        if not queries:
            return True
        self._take(queries)
        share = max(self._database.out, self._database.sheds if self.exhausted else 0.0)
        return self._chance.random() >= share

    def _take(self, queries: float) -> None:
        capacity = self._database.capacity
        if capacity is None:
            return
        now = self._clock()
        won = capacity * (now - self._at)
        self._at = now
        self._reserve = max(0.0, min(self._full, self._reserve + won) - queries)
        if self._reserve == 0.0:
            self.exhausted = True
        elif self._reserve >= _WELL_AGAIN * self._full:
            self.exhausted = False
