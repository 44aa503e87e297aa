"""What a person asks of a failover. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.request_failover import FailoverCommand, request_failover
from candlefish.handler import handler
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    request_failover,
    ports=wire.failover_ports(),
    executions=wire.executions(),
    elsewhere=wire.elsewhere,
)
who = wire.caller()


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(event.posted(FailoverCommand), principal=who(event)))
