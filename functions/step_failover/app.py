"""One move of a failover: look, decide, write down the intention, act."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.advance import Advanced, FailoverStepInput, advance
from candlefish.handler import handler

use = partial(
    advance,
    environment=wire.declared(),
    runs_store=wire.runs(),
    stage=wire.stage(),
    pace=wire.pace(),
    now=wire.now,
)


@handler
def lambda_handler(event: FailoverStepInput) -> Advanced:
    return use(event.target, event.epoch)
