"""Begin a failover that a signal asks for: the first state of a machine that was started without a run."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.desk import Begun, SignalRequest, begin_by_signal
from candlefish.handler import handler

use = partial(
    begin_by_signal,
    environment=wire.environment(),
    catalog=wire.catalog(),
    runs=wire.runs(),
    stage=wire.stage(),
    now=wire.now,
    elsewhere=wire.elsewhere,
)


@handler
def lambda_handler(event: SignalRequest) -> Begun:
    return use(event)
