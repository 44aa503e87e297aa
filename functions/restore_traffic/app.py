"""Put all traffic on the version known to be good: the first state of every rollback."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import RollbackContext, RollbackStart
from candlefish.release.restore_traffic import restore_traffic

use = partial(
    restore_traffic,
    environment=wire.environment(),
    writers_live=wire.settings.writers_live_seconds,
    records=wire.records(),
    rules=wire.urgent_rules(),
    requesters=wire.requesters(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: RollbackStart) -> RollbackContext:
    return use(event.request, execution=event.execution)
