"""Do what was decided about a signal."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.model import SignalResponse
from candlefish.signals.respond import Acted, act_on_signal

use = partial(
    act_on_signal,
    desk=wire.desk(),
)


@handler
def lambda_handler(event: SignalResponse) -> Acted:
    return use(event)
