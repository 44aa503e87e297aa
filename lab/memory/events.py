"""A bus in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from candlefish.errors import Unavailable


class MemoryEvents:
    """`ports.EventPublisher`: keeps what was published, oldest first; a `broken` one takes nothing."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.broken = False

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        if self.broken:
            raise Unavailable("the bus did not take it")
        # Through JSON, as on the bus.
        self.published += [
            (kind, msgspec.json.decode(msgspec.json.encode(detail))) for kind, detail in events
        ]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.published]
