"""One step of the capacity machine: look, decide, act."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import capacity as wire
from candlefish.capacity.advance_capacity import CapacityProgress, CapacityStepInput, advance_capacity
from candlefish.handler import look

# Twice the time that a function has: its last request may still be on its way when it ends.
use = partial(
    advance_capacity,
    environment=wire.environment(),
    catalog=wire.catalog(),
    store=wire.store(),
    world=wire.world(),
    records=wire.records(),
    requesters=wire.requesters(),
    executions=wire.executions(),
    events=wire.events(),
    now=wire.now,
    stragglers=2 * wire.settings.writers_live_seconds,
)


@look
def lambda_handler(event: CapacityStepInput) -> CapacityProgress:
    return use()
