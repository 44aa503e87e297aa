"""Approve by a button in Slack: whose click it is, that it is no replay, and what to say to it.

Slack signs what it sends (https://docs.slack.dev/authentication/verifying-requests-from-slack). The person is
the one that the signed payload names; what a button carries is only which question it was made for, so that an
old message cannot answer a newer question.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from candlefish.bounds import Address, Id, Word, decoded
from candlefish.errors import InvalidInput, NotAllowed, Permanent
from candlefish.ports import Now
from candlefish.release.decide_approval import ApprovalDecision
from candlefish.release.model import Answered, ApprovalAnswer
from candlefish.release.ports import Nonces
from candlefish.web import HttpRequest

# A request that is older, or from further in the future, is not taken. Seconds.
FRESH = 300
ANSWERS: dict[str, ApprovalAnswer] = {"candlefish-approve": "approved", "candlefish-deny": "denied"}
RESPONSES = "https://hooks.slack.com/"


class SignedRequest(msgspec.Struct, frozen=True):
    """A request as it came: the raw body, and Slack's two headers."""

    body: bytes
    timestamp: str
    signature: str


class ButtonQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a button carries: the question that it was made for, by its id."""

    release: Id
    question: Word


class Click(msgspec.Struct, frozen=True):
    """A click that is known to be Slack's. `user` is a member id; `response_url` takes what to say.

    `original` is the message that was clicked on, as Slack has it.
    """

    question: ButtonQuestion
    answer: ApprovalAnswer
    user: str
    response_url: str
    original: dict[str, Any] = {}


Decide = Callable[..., Answered]


class ButtonReply(msgspec.Struct, frozen=True):
    """What to say to the person who clicked, and where.

    Where the question is closed by it (`closes`), the message that was clicked on loses its buttons and says so.
    """

    response_url: str
    text: str
    decided: bool
    closes: bool = False
    original: dict[str, Any] = {}


def press_button(
    request: HttpRequest,
    *,
    secret: Callable[[], str],
    nonces: Nonces,
    decide: Decide,
    reply: Callable[[ButtonReply], None],
    now: Now,
) -> dict[str, str]:
    """Answer a question by a click, and tell the person who clicked what came of it.

    Raises
    ------
    InvalidInput, NotAllowed
        The request is no POST, or not Slack's (`decide_click`).
    """
    request.require_post()
    signed = SignedRequest(
        request.raw(), request.header("x-slack-request-timestamp"), request.header("x-slack-signature")
    )
    reply(decide_click(signed, secret=secret(), nonces=nonces, decide=decide, now=now))
    return {}


def decide_click(
    signed: SignedRequest, *, secret: str, nonces: Nonces, decide: Decide, now: Now
) -> ButtonReply:
    """Answer a question as the person who clicked; a refusal is told to that person.

    Raises
    ------
    NotAllowed
        The request is not Slack's, not fresh, or was used before: there is nobody to tell.
    InvalidInput
        It is no click of one of our buttons.
    """
    at = now()
    click = read_click(signed, secret=secret, now=at)
    if not nonces.first(signed.signature, at + 2 * FRESH):
        raise NotAllowed("this request was used before")
    asked = click.question
    try:
        decision = ApprovalDecision(asked.release, asked.question, click.answer, "by a button in Slack")
        settled = decide(decision, principal=f"slack:{click.user}")
    except Permanent as refusal:
        return ButtonReply(click.response_url, str(refusal), decided=False)
    closes = settled.status != "pending"
    return ButtonReply(
        click.response_url, settled.words, decided=True, closes=closes, original=click.original
    )


def read_click(signed: SignedRequest, *, secret: str, now: float) -> Click:
    """Check a request and read the click in it. Nothing of an unsigned request is looked at."""
    if not secret:
        raise NotAllowed("the stack has no Slack signing secret; set SlackSigningSecretArn")
    base = b"v0:" + signed.timestamp.encode() + b":" + signed.body
    expected = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
        raise NotAllowed("the request is not signed by Slack with this app's secret")
    if (
        not signed.timestamp.isdecimal()
        or len(signed.timestamp) > 12
        or abs(now - int(signed.timestamp)) > FRESH
    ):
        raise NotAllowed(f"the request is not from the last {FRESH} seconds; click again if you mean it")
    try:
        payload: dict[str, Any] = decoded(parse_qs(signed.body.decode())["payload"][0], "the click")
        (action,) = payload["actions"]
        return Click(
            question=msgspec.convert(decoded(action["value"], "the question"), ButtonQuestion),
            answer=ANSWERS[action["action_id"]],
            user=msgspec.convert(payload["user"]["id"], Id),
            response_url=msgspec.convert(payload.get("response_url", ""), Address),
            original=payload["message"] if isinstance(payload.get("message"), dict) else {},
        )
    except (KeyError, TypeError, ValueError, IndexError, msgspec.MsgspecError, InvalidInput) as error:
        raise InvalidInput(f"this is no click of one of our buttons ({type(error).__name__})") from error
