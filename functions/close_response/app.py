"""Write down how a response ended and tell people."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.close_response import close_response
from candlefish.signals.payloads import CloseInput

use = partial(
    close_response,
    ports=wire.ports(),
)


@handler
def lambda_handler(event: CloseInput) -> None:
    use(event.response, event.ending)
