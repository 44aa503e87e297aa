"""The control plane's own event bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from candlefish.adapters.aws import aws_call
from candlefish.errors import Unavailable
from candlefish.release.journal import Entry, Release

SOURCE = "candlefish.control-plane"


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
            refused = answer["Entries"][0]
            raise Unavailable(
                f"event {kind} was not taken: {refused.get('ErrorCode', '')} {refused.get('ErrorMessage', '')}"
            )


def publisher(bus: EventBus, warn: Callable[[str], None]) -> Callable[[Release, Entry], None]:
    """A function that puts an entry's event on the bus; failing to is logged and never fails a release."""

    def publish(release: Release, entry: Entry) -> None:
        detail = {
            "release": release.id,
            "environment": release.environment,
            "service": release.service,
            "version": release.version.short,
            "image": release.version.image,
            "requested_by": release.requested_by,
            "status": release.status,
            **msgspec.to_builtins(entry),
        }
        try:
            bus.publish(f"release.{entry.kind}", detail)
        except Exception as error:  # noqa: BLE001 - telling people is best effort, whatever goes wrong
            warn(f"event release.{entry.kind} could not be published: {error}")

    return publish
