"""Say again which CloudWatch alarms are in ALARM, so that a lost or refused change is made up for."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import Nothing, handler
from candlefish.signals.alarms import repeat

use = partial(
    repeat,
    environment=wire.environment(),
    alarms=wire.alarms(),
    queue=wire.queue(),
    now=wire.now,
)


@handler
def lambda_handler(event: Nothing) -> int:
    return use()
