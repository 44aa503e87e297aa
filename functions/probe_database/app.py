"""Reads and writes the sentinel of a database from inside its network, and beats every minute."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.backups.probing import Question, answer
from candlefish.bootstrap import probe as wire
from candlefish.handler import handler

use = partial(
    answer,
    environment=wire.declared(),
    region=wire.region(),
    connect=wire.connect(),
)


@handler
def lambda_handler(event: Question) -> dict[str, Any]:
    return use(event)
