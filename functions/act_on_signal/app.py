"""Do what was decided about a signal."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler, parse
from candlefish.signals.model import Response
from candlefish.signals.respond import Acted, act

DESK = wire.desk()


@handler
def lambda_handler(event: Any) -> Acted:
    return act(parse(event, Response), desk=DESK)
