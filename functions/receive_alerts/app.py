"""Take what Alertmanager posts: check the bearer, queue, answer."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import signals as wire
from candlefish.handler import handler
from candlefish.signals.receive_alerts import receive_alerts
from candlefish.web import HttpAnswer, HttpRequest

use = partial(
    receive_alerts, environment=wire.environment(), tokens=wire.tokens(), queue=wire.queue(), now=wire.now
)


@handler
def lambda_handler(event: HttpRequest) -> HttpAnswer:
    return use(event).as_answer()
