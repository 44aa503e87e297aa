"""Take what Alertmanager posts: check the bearer, queue, answer."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import signals as wire
from candlefish.errors import InvalidInput
from candlefish.handler import handler, logger
from candlefish.signals.receive import Reply, receive, request_of

use = partial(receive, tokens=wire.tokens(), queue=wire.queue(), now=wire.now)


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    try:
        reply = use(request_of(event))
    except InvalidInput as error:
        reply = Reply(400, str(error))
    (logger.info if reply.status < 300 else logger.warning)("%s: %s", reply.status, reply.reason)
    return reply.as_response()
