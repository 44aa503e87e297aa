"""`ports.EventPublisher` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class FakeEvents:
    """Keeps what was published, oldest first."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, Any]]] = []

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.published += events
