"""Tell people what an event of the control plane means for them."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler, parse
from candlefish.signals.notify import Event, Told, notify

use = partial(notify, channels=wire.channels(), ledger=wire.ledger(), places=wire.places())


@handler
def lambda_handler(event: Any) -> Told:
    return use(parse(event, Event))
