"""Composition root of messages that show releases."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.core import catalog, declared, environment, now, table
from candlefish.bootstrap.signals import channels, links, slack_chat
from candlefish.bootstrap.views import views
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.sqs import SqsQueue
    from candlefish.messages.ports import MessagePorts
    from candlefish.signals.notification import Notification
    from candlefish.signals.notify import BusEvent
    from candlefish.sqs import Message
    from candlefish.views.model import ReleaseView


class MessageSettings(Settings):
    """What functions that show releases are told."""

    shows_queue_url = Setting(str)
    # Where the console's page is; empty where there is none.
    console_url = Setting(str, optional="")


settings = MessageSettings()


@cache
def message_ports() -> MessagePorts:
    from candlefish.adapters.table.journal import DynamoJournalStore
    from candlefish.adapters.table.shown import DynamoChannelPace, DynamoShownMessages
    from candlefish.messages.ports import MessagePorts

    return MessagePorts(
        see=release_seen,
        chat=slack_chat(),
        shown=DynamoShownMessages(client("dynamodb"), table()),
        pace=DynamoChannelPace(client("dynamodb"), table()),
        mail=channels()["sns"],
        timeline=DynamoJournalStore(client("dynamodb"), table(), environment()),
        channel_of=_channel_of,
        link_of=link_of,
        now=now,
    )


def release_seen(release: str) -> ReleaseView:
    """A release as nobody in particular sees it: neither the load balancer nor the cluster is asked."""
    from candlefish.views.model import Reader

    return views().release(release, Reader("", "", ("reader",)), live=False)


def more_words(event: BusEvent, message: Notification) -> Notification:
    """`signals.notify.MoreWords`: what the read model says of a release. Without it the event's own words stand."""
    import msgspec

    from candlefish.errors import ControlPlaneError
    from candlefish.messages.mail import mail_of
    from candlefish.telemetry import logger

    release, kind, at = (event.detail.get(name) for name in ("release", "kind", "at"))
    if not (
        event.detail_type.startswith("release.") and isinstance(release, str) and isinstance(at, int | float)
    ):
        return message
    message = msgspec.structs.replace(message, link=link_of(release))
    try:
        return mail_of(message, release_seen(release), kind=str(kind), at=at)
    except ControlPlaneError as error:
        logger.warning("the event's own words stand: %s: %s", type(error).__name__, error)
        return message


def link_of(release: str) -> str:
    """Where a release is looked at: the page of ours, or its execution's of AWS."""
    console = declared().console
    if address := (console.address if console else "") or settings.console_url:
        return f"{address.rstrip('/')}/#/releases/{release}"
    return links().execution(release)


def _channel_of(service: str) -> str:
    known = catalog().services.get(service)
    owner = catalog().responses.owners.get(known.owner) if known else None
    return owner.slack if owner else ""


@cache
def _queue() -> SqsQueue:
    from candlefish.adapters.aws.sqs import SqsQueue

    return SqsQueue(client("sqs"), settings.shows_queue_url)


def put_off(message: Message, seconds: float) -> None:
    """Let a message come again after so many seconds."""
    _queue().put_off(message.receipt_handle, seconds)
