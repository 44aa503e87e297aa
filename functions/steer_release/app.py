"""Pause a release, let it go on, promote it now. Called through the HTTP API with a token, or a function URL with IAM."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.steer_release import SteerCommand, steer_release
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    steer_release,
    environment=wire.environment(),
    catalog=wire.catalog(),
    records=wire.records(),
    approvals=wire.approvals(),
    executions=wire.executions(),
    journal=wire.journal(),
    now=wire.now,
)
who = wire.known()


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(
        lambda: use(
            caller=who(event, "operator"),
            command=event.posted(SteerCommand, "/v1/releases/{release}/{action}"),
        )
    )
