"""The daily audit of backups; its findings become signals."""

from __future__ import annotations

from functools import partial

from candlefish.backups.audit_backups import audit_backups
from candlefish.bootstrap import backups as wire
from candlefish.handler import Nothing, handler

use = partial(
    audit_backups,
    environment=wire.declared(),
    reader=wire.backups(),
    reports=wire.drills(),
    events=wire.bus(),
    there=wire.stable_there(),
    now=wire.now,
)


@handler
def lambda_handler(event: Nothing) -> dict[str, int]:
    return use().counts()
