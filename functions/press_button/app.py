"""Answer a release's question by a button in Slack, which signs the request."""

from __future__ import annotations

import base64
from typing import Any

from candlefish.bootstrap import button
from candlefish.bootstrap import release as wire
from candlefish.errors import InvalidInput, Permanent
from candlefish.handler import handler, logger
from candlefish.release.button import Signed, press
from candlefish.web import respond

NONCES, APPROVALS, DECIDE = button.nonces(), wire.approvals(), wire.decided()


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    return respond(lambda: answered(event))


def answered(event: Any) -> dict[str, Any]:
    """Decide, and tell the person what came of it."""
    try:
        told = press(
            signed_of(event),
            secret=button.signing_secret(),
            nonces=NONCES,
            approvals=APPROVALS,
            decide=DECIDE,
            now=wire.now,
        )
    except Permanent as error:
        logger.warning("%s: %s", type(error).__name__, error)
        raise
    logger.info("%s", told.text)
    button.say(told)
    return {}


def signed_of(event: Any) -> Signed:
    """The raw request of a function URL's event."""
    if event.get("requestContext", {}).get("http", {}).get("method") != "POST":
        raise InvalidInput("send a POST; a GET changes nothing")
    headers = event.get("headers", {})
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    return Signed(body, headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", ""))
