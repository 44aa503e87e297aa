"""One move of a failover: look, decide, write down the intention, act."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.step_failover import FailoverProgress, FailoverStepInput, step_failover
from candlefish.handler import look

use = partial(step_failover, ports=wire.failover_ports(), pace=wire.pace())


@look
def lambda_handler(event: FailoverStepInput) -> FailoverProgress:
    return use(event)
