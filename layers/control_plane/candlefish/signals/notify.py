"""Telling people: one message an event on every channel, whatever another channel does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from candlefish.errors import ControlPlaneError, Permanent, Unavailable
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks
from candlefish.signals.ports import Channel, NotificationLedger


class BusEvent(msgspec.Struct, frozen=True):
    """An EventBridge event, as far as a message needs it."""

    id: str
    detail_type: str = msgspec.field(name="detail-type")
    detail: dict[str, Any] = {}


class NotificationResult(msgspec.Struct, frozen=True):
    """What became of a message on each channel."""

    title: str
    channels: dict[str, str]


def notify(
    event: BusEvent, *, channels: Mapping[str, Channel], ledger: NotificationLedger, links: ConsoleLinks
) -> NotificationResult:
    """Send an event's message to every channel that did not get it yet.

    Raises
    ------
    Unavailable
        A channel could not be reached. The others have the message, and a repetition goes only
        to those that do not.
    Misconfigured
        A channel refused for good.
    """
    text = notification_of(event.detail_type, event.detail, links)
    if text is None:
        return NotificationResult("", {})
    key = text.key or event.id
    results: dict[str, str] = {}
    failures: list[ControlPlaneError] = []
    for name, channel in channels.items():
        if not ledger.claim(key, name, again=text.again):
            results[name] = "sent before"
            continue
        try:
            channel.send(text)
            ledger.mark(key, name)
            results[name] = "sent"
        except ControlPlaneError as error:
            failures.append(error)
            results[name] = str(error)
            # Where this fails too, the claim runs out by itself.
            with suppress(ControlPlaneError):
                ledger.release(key, name)
    permanent = next((f for f in failures if isinstance(f, Permanent)), None)
    if permanent and len(failures) == 1:
        raise permanent
    if failures:
        raise Unavailable("; ".join(map(str, failures)))
    return NotificationResult(text.title, results)
