"""The control plane's own bus, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from candlefish.errors import Unavailable
from lab.nights.memory import MemoryEvents


class FakeEvents(MemoryEvents):
    """`ports.EventPublisher`: keeps what was published, oldest first; a `broken` one takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        if self.broken:
            raise Unavailable("the bus did not take it")
        super().publish_all(events)
