"""Let the chat show how releases stand, whatever came over the bus about them."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import messages as wire
from candlefish.handler import handler
from candlefish.messages.show_release import release_named_in, show_release
from candlefish.sqs import Batch, Failures, each_subject

use = partial(show_release, ports=wire.message_ports())


@handler
def lambda_handler(event: Batch) -> Failures:
    return each_subject(
        event,
        lambda message: release_named_in(message.body),
        lambda release, asked_at: use(release, asked_at).outcome,
        wire.put_off,
    )
