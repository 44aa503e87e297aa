"""The control plane's own event bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from candlefish.adapters.aws.refusals import aws_call
from candlefish.errors import Unavailable

SOURCE = "candlefish.control-plane"
# PutEvents takes ten entries a call.
EVENTS_A_CALL = 10


class EventBus:
    """`ports.EventPublisher`: what the bus refuses is an error."""

    def __init__(self, client: Any, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Publish events, each a kind and its detail.

        Raises
        ------
        Throttled, Unavailable
            The bus did not take all of them.
        """
        entries = [
            {
                "EventBusName": self._bus,
                "Source": SOURCE,
                "DetailType": kind,
                "Detail": msgspec.json.encode(detail).decode(),
            }
            for kind, detail in events
        ]
        for at in range(0, len(entries), EVENTS_A_CALL):
            with aws_call(f"putting events on bus {self._bus}"):
                answer = self._client.put_events(Entries=entries[at : at + EVENTS_A_CALL])
            if failed := answer["FailedEntryCount"]:
                why = "; ".join(sorted({_why(entry) for entry in answer["Entries"] if "ErrorCode" in entry}))
                raise Unavailable(f"bus {self._bus} did not take {failed} events: {why}")


def _why(refused: Mapping[str, str]) -> str:
    return f"{refused['ErrorCode']} {refused.get('ErrorMessage', '')}".strip()


class BestEffort:
    """`ports.EventPublisher` for those whom news must not stop: a bus that does not take it is logged.

    `bus` is asked for at the first event, so that a function that has none makes no client.
    """

    def __init__(self, bus: Callable[[], EventBus], warn: Callable[[str], None]) -> None:
        self._bus = bus
        self._warn = warn

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        try:
            self._bus().publish_all(events)
        except Exception as error:  # noqa: BLE001 - telling people is best effort, whatever goes wrong
            self._warn(f"event {', '.join(kind for kind, _ in events)} could not be published: {error}")
