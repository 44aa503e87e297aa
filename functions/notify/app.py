"""Tell people what an event of the control plane means for them."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import messages as words
from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.notify import BusEvent, NotificationResult, notify

use = partial(
    notify,
    channels=wire.channels(),
    ledger=wire.ledger(),
    links=wire.links(),
    owners=wire.owners_channels,
    words=words.more_words,
    elsewhere=wire.shown_in_chat,
)


@handler
def lambda_handler(event: BusEvent) -> NotificationResult:
    return use(event)
