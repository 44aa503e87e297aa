"""Begin a failover that a signal asks for: the first state of a machine that was started without a run."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.begin_failover import FailoverStarted, SignalledFailover, begin_failover
from candlefish.handler import handler

use = partial(begin_failover, ports=wire.failover_ports(), elsewhere=wire.elsewhere)


@handler
def lambda_handler(event: SignalledFailover) -> FailoverStarted:
    return use(event)
