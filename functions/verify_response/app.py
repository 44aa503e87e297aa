"""Look whether a response shows in the world."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler, parse
from candlefish.signals.model import Response
from candlefish.signals.respond import Acted, Verdict, verify

DESK, RULES = wire.desk(), wire.rules()


class Look(msgspec.Struct):
    """A response and what was done about it."""

    response: Response
    acted: Acted


@handler
def lambda_handler(event: Any) -> Verdict:
    look = parse(event, Look)
    return verify(look.response, look.acted, desk=DESK, rules=RULES)
