"""Make every onboarded service's CloudWatch alarms what they shall be."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release
from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.alarms import Ensured, ensure

use = partial(
    ensure,
    environment=wire.environment(),
    load_balancer=wire.settings()["LOAD_BALANCER"],
    catalog=wire.catalog(),
    records=release.records(),
    alarms=wire.alarms(),
)


@handler
def lambda_handler(event: Any) -> Ensured:
    return use()
