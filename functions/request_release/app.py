"""What a person asks of releases. Called through the HTTP API with a token, or a function URL with IAM."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.asked_by_http import command_of
from candlefish.release.request_release import request_release
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    request_release,
    environment=wire.environment(),
    catalog=wire.catalog(),
    requesters=wire.requesters(),
    executions=wire.executions(),
    take_back=wire.taking_back(),
    records=wire.records(),
    now=wire.now,
)
who = wire.callers("operator")


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(principal=who(event), command=command_of(event, wire.service_released_by)))
