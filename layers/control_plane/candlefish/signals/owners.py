"""Whose news an event is: the owner of the service that it is about. What is nobody's is everybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from candlefish.signals.endings import STATUS_CHANGE, started_with

if TYPE_CHECKING:
    from candlefish.catalog.model import Service


def whose_news(kind: str, detail: Mapping[str, Any], services: Mapping[str, Service]) -> str:
    """The owner by the event itself, or by the catalog for the service that it names; empty where there is none."""
    about = started_with(detail) if kind == STATUS_CHANGE else detail
    if owner := about.get("owner"):
        return str(owner)
    service = services.get(str(about.get("service")))
    return service.owner if service else ""
