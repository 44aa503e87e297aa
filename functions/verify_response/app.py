"""Look whether a response shows in the world."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.respond import Verdict, VerifyInput, verify

use = partial(
    verify,
    desk=wire.desk(),
    rules=wire.rules(),
)


@handler
def lambda_handler(event: VerifyInput) -> Verdict:
    return use(event.response, event.acted)
