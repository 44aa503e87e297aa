"""Lift the holds whose alerts have ended by now."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.payloads import SignalResponse
from candlefish.signals.settle_hold import settle_hold

use = partial(
    settle_hold,
    ports=wire.ports(),
)


@handler
def lambda_handler(event: SignalResponse) -> list[str]:
    return use(event)
