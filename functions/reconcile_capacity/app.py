"""Compare an environment with its hours; start the capacity machine on a difference."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import capacity as wire
from candlefish.capacity.decide import CapacityDecision
from candlefish.capacity.reconcile_capacity import CapacityRound, reconcile_capacity
from candlefish.handler import handler

use = partial(
    reconcile_capacity,
    environment=wire.environment(),
    catalog=wire.catalog(),
    store=wire.store(),
    world=wire.world(),
    records=wire.records(),
    executions=wire.executions(),
    events=wire.events(),
    switchboard=wire.switchboard(),
    now=wire.now,
)


@handler
def lambda_handler(event: CapacityRound) -> CapacityDecision:
    return use(dry_run=event.dry_run)
