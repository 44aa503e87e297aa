"""The endpoint that Alertmanager posts to: who is it, is it whole, is it on the queue?

202 means durably queued. What we cannot take is 503, never 429: Alertmanager tries again after a
5xx and never after a 429. A 4xx says what to mend. No reply and no log line quotes a header.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from candlefish.again import AGAIN
from candlefish.errors import ControlPlaneError, InvalidInput
from candlefish.ports import Now
from candlefish.signals.model import Alert, BearerToken, Delivery
from candlefish.signals.pieces import fingerprint_of
from candlefish.signals.ports import SignalQueue, WebhookTokens
from candlefish.signals.sources import from_webhook, split_delivery
from candlefish.web import HttpAnswer, HttpRequest, answer

# A function URL takes 6 MB; 10,000 alerts of usual size are about 5 MB.
MAX_BODY = 6_000_000
# How old a copy of the tokens may be, in seconds, and how old before a wrong token makes us look again.
TOKENS_FOR = 300.0
TOKENS_AFTER_MISS = 10.0
EXPIRED = "the token has expired; use the newest"


class WebhookReply(msgspec.Struct, frozen=True):
    """An HTTP status, and why, for the sender's log."""

    status: int
    reason: str

    def as_answer(self) -> HttpAnswer:
        """As a function URL wants it."""
        headers = {"cache_control": "no-store"}
        if self.status == 401:
            headers["www_authenticate"] = "Bearer"
        if self.status == 405:
            headers["allow"] = "POST"
        return answer(self.status, {"status": self.status, "reason": self.reason}, **headers)


def receive_alerts(
    request: HttpRequest, *, environment: str, tokens: WebhookTokens, queue: SignalQueue, now: Now
) -> WebhookReply:
    """Take a delivery of alerts.

    Whoever has a token of before is Alertmanager, and its alerts are lost until somebody gives it the newest: that is a
    signal too. It is queued at every such delivery and told once an hour.
    """
    at = now()
    if request.method not in ("POST", ""):
        return WebhookReply(405, "post alerts here")
    try:
        refused = unauthorised(request.header("authorization"), tokens, at)
        if refused == EXPIRED:
            queue.send(split_delivery(expired_token(environment, at)))
        if refused:
            return WebhookReply(401, refused)
        body = request.raw()
        if len(body) > MAX_BODY:
            return WebhookReply(
                413, f"the body has {len(body)} bytes, at most {MAX_BODY} are taken; set max_alerts"
            )
        delivery = from_webhook(body, at)
        queue.send(split_delivery(delivery))
    except InvalidInput as error:
        return WebhookReply(400, str(error))
    except ControlPlaneError as error:
        return WebhookReply(503, f"not taken, send it again: {type(error).__name__}")
    return WebhookReply(202, f"{len(delivery.alerts)} alerts queued")


def unauthorised(header: str, tokens: WebhookTokens, now: float) -> str:
    """Why the bearer may not come in; empty when it may."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        return "send the header Authorization: Bearer <token>"
    why = _check(given.strip(), tokens.read(TOKENS_FOR), now)
    # A token that was made a moment ago is not in our copy yet.
    return why and _check(given.strip(), tokens.read(TOKENS_AFTER_MISS), now)


def _check(given: str, tokens: Sequence[BearerToken], now: float) -> str:
    """Compare with every token, in a time that depends on neither the tokens nor where they differ."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
    valid = expired = False
    for token in tokens:
        same = hmac.compare_digest(digest, hashlib.sha256(token.token.encode()).digest())
        over = bool(token.expires) and token.expires <= now
        valid |= same and not over
        expired |= same and over
    if valid:
        return ""
    return EXPIRED if expired else "the token is not known here"


def expired_token(environment: str, now: float) -> Delivery:
    """The signal that alerts came with a token that has expired: a new one each hour, while they do."""
    labels = {"alertname": "alert-token-expired", "environment": environment, "category": "signals"}
    since = now // AGAIN * AGAIN
    alert = Alert(
        fingerprint=fingerprint_of(labels),
        status="firing",
        labels=labels,
        started_at=since,
        as_of=since,
        summary="Alertmanager sends alerts with a token that has expired, and they are refused: give it the newest one "
        f"(candlefish signals -e {environment} rotate-token makes and shows one)",
    )
    return Delivery(
        source="finding", alerts=(alert,), observed_at=now, received_at=now, total=1, group=alert.fingerprint
    )
