"""Telling people: one message an event on every kind of channel, whatever another channel does.

What is about a service goes to the channels of its owner, where the catalog gives it some, instead of everybody's. Where
an owner's channel takes nothing any more, everybody's has it, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from candlefish.errors import ControlPlaneError, Permanent, Unavailable
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks, Notification
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


# The channels of whoever owns what an event is about, by kind; a kind that is not in it is everybody's.
OwnersChannels = Callable[[BusEvent], Mapping[str, Channel]]


# A message with what more is known of its event.
MoreWords = Callable[[BusEvent, Notification], Notification]
# Whether an event, with this message, is shown on a kind of channel in another way than by that message.
ShownElsewhere = Callable[[BusEvent, Notification, str], bool]


def as_it_is(event: BusEvent, message: Notification) -> Notification:
    """Nothing more is known."""
    return message


def nowhere_else(event: BusEvent, message: Notification, channel: str) -> bool:
    """Every event is a message."""
    return False


def of_nobody(event: BusEvent) -> Mapping[str, Channel]:
    """Everything is everybody's."""
    return {}


def notify(
    event: BusEvent,
    *,
    channels: Mapping[str, Channel],
    ledger: NotificationLedger,
    links: ConsoleLinks,
    owners: OwnersChannels = of_nobody,
    words: MoreWords = as_it_is,
    elsewhere: ShownElsewhere = nowhere_else,
) -> NotificationResult:
    """Send an event's message to every kind of channel that did not get it yet: the owner's of that kind, or everybody's.

    Where a kind of channel shows it in another way, nothing is sent, and what says the same later is not sent either.

    Raises
    ------
    Unavailable
        A channel could not be reached. The others have the message, and a repetition goes only
        to those that do not.
    Misconfigured
        A channel refused for good, and there is no other of its kind.
    """
    text = notification_of(event.detail_type, event.detail, links)
    if text is None:
        return NotificationResult("", {})
    text = words(event, text)
    key = text.key or event.id
    mine = owners(event)
    results: dict[str, str] = {}
    failures: list[ControlPlaneError] = []
    for name in dict.fromkeys((*channels, *mine)):
        if name in text.told_by or not ledger.claim(key, name, again=text.again):
            results[name] = "sent before"
            continue
        if elsewhere(event, text, name):
            ledger.mark(key, name)
            results[name] = "shown elsewhere"
            continue
        try:
            _send(text, mine.get(name), channels.get(name))
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


def _send(text: Notification, owners: Channel | None, everybodys: Channel | None) -> None:
    if owners is not None:
        try:
            return owners.send(text)
        except Permanent as error:
            if everybodys is None:
                raise
            text = msgspec.structs.replace(text, facts=(*text.facts, ("Not with its owner", str(error))))
    if everybodys is not None:
        everybodys.send(text)
    return None
