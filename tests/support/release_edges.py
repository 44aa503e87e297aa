"""The front door as releases see it, as told."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.release.model import HttpResponse


class FakeWeb:
    """`release.ports.Web`: answers with a list of statuses, the last one for ever; remembers what was asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def get(self, listener: str, host: str, path: str, headers: Mapping[str, str]) -> HttpResponse:
        self.asked.append((host, path, dict(headers)))
        return HttpResponse(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0], "as told")
