"""The daily audit of backups; its findings become signals."""

from __future__ import annotations

from functools import partial

from candlefish.backups.auditing import run_audit
from candlefish.bootstrap import backups as wire
from candlefish.handler import Nothing, handler

use = partial(
    run_audit,
    environment=wire.environment(),
    catalog=wire.catalog(),
    reader=wire.backups(),
    reports=wire.drills(),
    teller=wire.teller(),
    there=wire.stable_there(),
    now=wire.now,
)


@handler
def lambda_handler(event: Nothing) -> dict[str, int]:
    return use().counts()
