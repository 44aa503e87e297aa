"""Lift the holds whose alerts have ended by now."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler, parse
from candlefish.signals.model import Response
from candlefish.signals.respond import settle

DESK = wire.desk()


@handler
def lambda_handler(event: Any) -> list[str]:
    return settle(parse(event, Response), desk=DESK)
