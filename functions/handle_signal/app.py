"""Handle the signals of some messages of the queue; what failed goes back to it."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.sources import from_queue
from candlefish.sqs import Batch, Failures, each_message

use = partial(handle_signal, ports=wire.handling_ports())


@handler
def lambda_handler(event: Batch) -> Failures:
    return each_message(event, lambda m: use(from_queue(m.body, m.sent), message=m.message_id))
