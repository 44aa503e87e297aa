"""Look whether a response shows in the world."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import look
from candlefish.signals.payloads import ResponseVerdict, VerifyInput
from candlefish.signals.verify_response import verify_response

use = partial(
    verify_response,
    ports=wire.ports(),
    rules=wire.rules(),
)


@look
def lambda_handler(event: VerifyInput) -> ResponseVerdict:
    return use(event.response, event.acted)
