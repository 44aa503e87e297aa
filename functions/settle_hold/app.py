"""Lift the holds whose alerts have ended by now."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.model import SignalResponse
from candlefish.signals.respond import settle_hold

use = partial(
    settle_hold,
    desk=wire.desk(),
)


@handler
def lambda_handler(event: SignalResponse) -> list[str]:
    return use(event)
