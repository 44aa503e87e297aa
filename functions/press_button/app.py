"""Answer a release's question by a button in Slack, which signs the request."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.press_button import press_button
from candlefish.web import HttpAnswer, HttpRequest, respond

use = partial(
    press_button,
    secret=wire.slack_signing_secret,
    nonces=wire.nonces(),
    decide=wire.decider(),
    reply=wire.reply_in_slack,
    now=wire.now,
)


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return respond(lambda: use(event))
