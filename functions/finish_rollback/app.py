"""Take the last look after a rollback and free the service."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.finish_rollback import finish_rollback
from candlefish.release.payloads import RollbackEnd

use = partial(
    finish_rollback,
    records=wire.records(),
    rules=wire.urgent_rules(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: RollbackEnd) -> None:
    return use(event)
