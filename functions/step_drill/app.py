"""Drills of backups: begin, move, and delete what crashed ones left."""

from __future__ import annotations

from functools import partial

from candlefish.backups.drilling import Bench, DrillAnswer, DrillStep, drill_step
from candlefish.bootstrap import backups as wire
from candlefish.handler import handler

use = partial(
    drill_step,
    bench=Bench(
        environment=wire.declared(),
        restores=wire.restores(),
        inspector=wire.inspector(),
        drills=wire.drills(),
        teller=wire.teller(),
        now=wire.now,
        poll=wire.pace().poll,
    ),
)


@handler
def lambda_handler(event: DrillStep) -> DrillAnswer:
    return use(event)
