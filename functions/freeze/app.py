"""Freeze releases at once, or lift that. Called through the HTTP API with a token, or a function URL with IAM."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.freeze import FreezeCommand, freeze
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    freeze,
    environment=wire.environment(),
    catalog=wire.catalog(),
    freezes=wire.asked_freezes(),
    records=wire.records(),
    events=wire.events(),
    now=wire.now,
)
who = wire.callers("operator")


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(
        lambda: use(
            principal=who(event), command=event.posted(FreezeCommand, "/v1/freezes", "/v1/freezes/{action}")
        )
    )
