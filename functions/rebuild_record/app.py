"""Make a record again from what the world shows. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.rebuild_record import RebuildRequest, rebuild_record
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    rebuild_record,
    catalog=wire.catalog(),
    environment=wire.declared(),
    listeners=wire.settings.listener_arns,
    records=wire.records(),
    rules=wire.movers(),
    cluster=wire.cluster(),
    journal=wire.journal(),
    events=wire.events(),
    now=wire.now,
)
who = wire.caller()


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(event.posted(RebuildRequest), principal=who(event)))
