"""Begin a failover that a signal asks for: the first state of a machine that was started without a run."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import recovery as wire
from candlefish.failover.desk import Begun, SignalRequest, begin_by_signal
from candlefish.handler import handler, parse


@handler
def lambda_handler(event: Any) -> Begun:
    return begin_by_signal(
        parse(event, SignalRequest),
        environment=wire.environment(),
        catalog=wire.catalog(),
        runs=wire.runs(),
        stage=wire.stage(),
        now=wire.now,
        elsewhere=wire.elsewhere,
    )
