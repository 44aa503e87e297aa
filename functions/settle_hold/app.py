"""Lift the holds whose alerts have ended by now."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.model import Response
from candlefish.signals.respond import settle

use = partial(
    settle,
    desk=wire.desk(),
)


@handler
def lambda_handler(event: Response) -> list[str]:
    return use(event)
