"""Take the last look after a rollback and free the service."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.retire import RetireInput, finish

use = partial(
    finish,
    records=wire.records(),
    rules=wire.rules(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: RetireInput) -> None:
    return use(event)
