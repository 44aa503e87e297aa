"""Compare an environment with its hours; start the capacity machine on a difference."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import capacity as wire
from candlefish.capacity.decide import Decision
from candlefish.capacity.reconcile import reconcile
from candlefish.handler import handler, logger, parse


class Look(msgspec.Struct):
    """What may be asked for beside the look itself; schedules and events of the bus carry nothing we need."""

    dry_run: bool = False


@handler
def lambda_handler(event: Any) -> Decision:
    decision = reconcile(
        wire.environment(),
        catalog=wire.catalog(),
        store=wire.store(),
        world=wire.world(),
        records=wire.records(),
        executions=wire.executions(),
        events=wire.events(),
        now=wire.now,
        dry_run=parse(event, Look).dry_run,
    )
    logger.info("%s: %s", decision.action, decision.reason)
    return decision
