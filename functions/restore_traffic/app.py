"""Put all traffic on the version known to be good: the first state of every rollback."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.restore import Restored, restore_traffic
from candlefish.service.record import RollbackRequest


class Start(msgspec.Struct):
    """The execution that asks, and the input it was started with."""

    execution: str
    request: Any


use = partial(
    restore_traffic,
    environment=wire.environment(),
    writers_live=float(wire.settings()["WRITERS_LIVE_SECONDS"]),
    records=wire.records(),
    rules=wire.rules(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Restored:
    start = parse(event, Start)
    return use(parse(start.request, RollbackRequest), execution=start.execution)
