"""What the watch machine is started with after a promotion."""

from __future__ import annotations

from typing import Any

from candlefish.service.model import other
from candlefish.service.record import ServiceRecord


def watch_payload(record: ServiceRecord) -> dict[str, Any]:
    """Input of the watch machine; `retiring` is the slot that loses its capacity in the end."""
    assert record.stable
    return {
        "release": record.promoted_release,
        "environment": record.environment,
        "service": record.service,
        "generation": record.generation,
        "slot": record.stable,
        "retiring": other(record.stable),
        "since": record.generation_at,
        "name": record.watcher,
    }
