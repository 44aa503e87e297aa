"""What a person says about the environment's hours. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import capacity as wire
from candlefish.capacity.command_capacity import CapacityCommand, command_capacity
from candlefish.handler import handler
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    command_capacity,
    environment=wire.environment(),
    catalog=wire.catalog(),
    store=wire.store(),
    events=wire.events(),
    now=wire.now,
)
who = wire.caller()


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(event.posted(CapacityCommand), principal=who(event)))
