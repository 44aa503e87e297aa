"""Write down how a response ended and tell people."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.respond import ResponseEnd, close_response

use = partial(
    close_response,
    desk=wire.desk(),
)


@handler
def lambda_handler(event: ResponseEnd) -> None:
    use(event.response, event.ending)
