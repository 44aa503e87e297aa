"""Drills of backups: begin, move, and delete what crashed ones left."""

from __future__ import annotations

from functools import partial

from candlefish.backups.model import DrillAnswer, DrillStepInput
from candlefish.backups.step_drill import step_drill
from candlefish.bootstrap import backups as wire
from candlefish.handler import look

use = partial(step_drill, ports=wire.drill_ports(), poll=wire.pace().poll)


@look
def lambda_handler(event: DrillStepInput) -> DrillAnswer:
    return use(event)
