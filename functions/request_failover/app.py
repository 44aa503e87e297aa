"""What a person asks of a failover. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.desk import Asked, Desk, ask
from candlefish.handler import handler
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    ask,
    desk=Desk(
        environment=wire.environment(),
        catalog=wire.catalog(),
        runs=wire.runs(),
        stage=wire.stage(),
        executions=wire.executions(),
        now=wire.now,
        elsewhere=wire.elsewhere,
    ),
)


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(event.posted(Asked), principal=event.caller()))
