"""Write down how a response ended and tell people."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler, parse
from candlefish.signals.model import Response
from candlefish.signals.respond import Ending, close

DESK = wire.desk()


class End(msgspec.Struct):
    """A response and how it ended."""

    response: Response
    ending: Ending


@handler
def lambda_handler(event: Any) -> None:
    end = parse(event, End)
    close(end.response, end.ending, desk=DESK)
