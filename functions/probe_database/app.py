"""Reads and writes the sentinel of a database from inside its network, and beats every minute."""

from __future__ import annotations

from typing import Any

from candlefish.backups.probing import Question, answer
from candlefish.bootstrap import probe as wire
from candlefish.handler import handler, parse


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    return answer(
        parse(event, Question), environment=wire.declared(), region=wire.region(), connect=wire.connect
    )
