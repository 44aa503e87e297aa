"""Drills of backups: begin, move, and delete what crashed ones left."""

from __future__ import annotations

from typing import Any

from candlefish.backups.drilling import Bench, DrillStep, drill_step
from candlefish.bootstrap import recovery as wire
from candlefish.handler import handler, parse

bench = Bench(
    environment=wire.declared(),
    restores=wire.restores(),
    inspector=wire.probe(wire.region(), wire.INSPECTION_TIMEOUT),
    drills=wire.drills(),
    teller=wire.teller(),
    now=wire.now,
    poll=wire.pace().poll,
)


@handler
def lambda_handler(event: Any) -> Any:
    return drill_step(parse(event, DrillStep), bench=bench)
