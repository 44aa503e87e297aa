"""Do what was decided about a signal."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.act_on_signal import act_on_signal
from candlefish.signals.payloads import ActionResult, SignalResponse

use = partial(
    act_on_signal,
    ports=wire.ports(),
)


@handler
def lambda_handler(event: SignalResponse) -> ActionResult:
    return use(event)
