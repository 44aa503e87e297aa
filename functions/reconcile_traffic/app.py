"""Compare every record with the world and put right what nobody else will."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.reconcile_traffic import LookEvent, reconcile_traffic
from candlefish.release.traffic_repairs import Repair

use = partial(
    reconcile_traffic,
    environment=wire.environment(),
    listeners=wire.settings.listener_arns,
    records=wire.records(),
    rules=wire.rules(),
    executions=wire.executions(),
    journal=wire.journal(),
    events=wire.events(),
    switchboard=wire.switchboard(),
    meter=wire.meter(),
    writers_live=wire.settings.writers_live_seconds,
    left=wire.seconds_left,
    now=wire.now,
)


@handler
def lambda_handler(event: LookEvent) -> list[Repair]:
    return use(event.detail)
