"""One step of the capacity machine: look, decide, act."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import capacity as wire
from candlefish.capacity.advance import Progress, advance
from candlefish.handler import handler, logger


@handler
def lambda_handler(event: Any) -> Progress:
    progress = advance(
        wire.environment(),
        catalog=wire.catalog(),
        store=wire.store(),
        world=wire.world(),
        records=wire.records(),
        executions=wire.executions(),
        events=wire.events(),
        now=wire.now,
        # Twice the time that a function has: its last request may still be on its way when it ends.
        stragglers=2 * float(wire.settings()["WRITER_TIMEOUT_SECONDS"]),
    )
    logger.info("%s: %s", progress.status, progress.reason)
    return progress
