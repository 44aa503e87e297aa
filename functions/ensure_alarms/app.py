"""Make every onboarded service's CloudWatch alarms what they shall be."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import Nothing, handler
from candlefish.signals.alarms import AlarmSync, ensure

use = partial(
    ensure,
    environment=wire.environment(),
    load_balancer=wire.settings.load_balancer,
    catalog=wire.catalog(),
    records=wire.records(),
    alarms=wire.alarms(),
)


@handler
def lambda_handler(event: Nothing) -> AlarmSync:
    return use()
