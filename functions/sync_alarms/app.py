"""Make every onboarded service's CloudWatch alarms what they shall be, and repeat what still fires."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.sync_alarms import AlarmRound, AlarmSync, sync_alarms

use = partial(
    sync_alarms,
    environment=wire.environment(),
    catalog=wire.catalog(),
    records=wire.records(),
    alarms=wire.alarms(),
    queue=wire.queue(),
    now=wire.now,
)


@handler
def lambda_handler(event: AlarmRound) -> AlarmSync:
    return use(repeat=event.repeat, service=event.detail.service if event.detail else "")
