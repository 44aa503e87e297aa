"""The control plane's own event bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.adapters.aws import aws_call
from candlefish.adapters.outside import SOURCE
from candlefish.errors import Unavailable


class EventBus:
    """`signals.ports.Bus`."""

    def __init__(self, client: Any, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        entry = {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": kind,
            "Detail": msgspec.json.encode(detail).decode(),
        }
        with aws_call(f"publishing {kind}"):
            answer = self._client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise Unavailable(f"event {kind} was not taken: {answer['Entries'][0].get('ErrorCode', '')}")
