"""Do what was decided about a signal."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.model import Response
from candlefish.signals.respond import Acted, act

use = partial(
    act,
    desk=wire.desk(),
)


@handler
def lambda_handler(event: Response) -> Acted:
    return use(event)
