"""Approving by Slack's button: only what Slack signed, once, while it is fresh, for the question it was made for."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest

from candlefish.adapters.http.slack import reply_body
from candlefish.adapters.http.slack_blocks import notification_body
from candlefish.errors import ControlPlaneError, InvalidInput, NotAllowed
from candlefish.release.decide_approval import ApprovalDecision
from candlefish.release.model import Answered
from candlefish.release.press_button import SignedRequest, decide_click
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks
from lab.memory.release import MemoryNonces

SECRET, NOW = "8f742231b10e8888abcd99yyyzzz85a5", 1_795_500_000.0
QUESTION = {"release": "r2", "question": "3fa2c1d0"}


class Desk:
    """An open question, and what was decided."""

    def __init__(self) -> None:
        self.nonces = MemoryNonces()
        self.decisions: list[tuple[ApprovalDecision, str]] = []
        self.refuse: ControlPlaneError | None = None

    def decide(self, decision: ApprovalDecision, *, principal: str) -> Answered:
        if self.refuse:
            raise self.refuse
        self.decisions.append((decision, principal))
        yes = ("platform-lead",) if decision.answer == "approved" else ()
        return Answered("r2", decision.answer, "platform-lead", yes, 0)

    def press(self, signed: SignedRequest, secret: str = SECRET, now: float = NOW):  # type: ignore[no-untyped-def]
        return decide_click(
            signed,
            secret=secret,
            nonces=self.nonces,
            decide=self.decide,
            now=lambda: now,
        )


def click(
    action: str = "candlefish-approve",
    value: object = QUESTION,
    *,
    secret: str = SECRET,
    at: float = NOW,
    user: str = "U00000001",
    message: object = None,
) -> SignedRequest:
    body = {
        "user": {"id": user},
        "actions": [{"action_id": action, "value": json.dumps(value)}],
        "message": message,
    }
    return sign(urlencode({"payload": json.dumps(body)}).encode(), secret, at)


def sign(body: bytes, secret: str = SECRET, at: float = NOW) -> SignedRequest:
    base = f"v0:{int(at)}:".encode() + body
    return SignedRequest(
        body, str(int(at)), "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_example_of_slacks_documentation_is_signed_as_slack_says() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signed = sign(body, "8f742231b10e8888abcd99yyyzzz85a5", 1531420618)
    assert signed.signature == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


@pytest.mark.parametrize(
    ("action", "answer"), [("candlefish-approve", "approved"), ("candlefish-deny", "denied")]
)
def test_a_click_answers_as_the_person_whom_slack_names(desk: Desk, action: str, answer: str) -> None:
    told = desk.press(click(action))
    assert desk.decisions == [
        (ApprovalDecision("r2", "3fa2c1d0", answer, "by a button in Slack"), "slack:U00000001")
    ]  # type: ignore[arg-type]
    assert told.text == f"r2 was {answer} by platform-lead"


FORGED = [
    ("signed with another secret", click(secret="other")),
    ("not signed", SignedRequest(click().body, str(int(NOW)), "")),
    ("with a changed body", SignedRequest(click(user="U00000002").body, str(int(NOW)), click().signature)),
    ("with a changed time", SignedRequest(click().body, str(int(NOW) + 1), click().signature)),
    ("older than five minutes", click(at=NOW - 301)),
    ("from the future", click(at=NOW + 301)),
    ("with a time that is none", SignedRequest(click().body, "now", click().signature)),
]


@pytest.mark.parametrize("signed", [f[1] for f in FORGED], ids=[f[0] for f in FORGED])
def test_what_slack_did_not_sign_just_now_is_not_looked_at(desk: Desk, signed: SignedRequest) -> None:
    with pytest.raises(NotAllowed):
        desk.press(signed)
    assert desk.decisions == []


def test_without_a_signing_secret_nobody_is_believed(desk: Desk) -> None:
    with pytest.raises(NotAllowed, match="SlackSigningSecretArn"):
        desk.press(click(secret=""), secret="")


def test_the_same_request_counts_once(desk: Desk) -> None:
    desk.press(click())
    with pytest.raises(NotAllowed, match="before"):
        desk.press(click())
    assert len(desk.decisions) == 1


def test_a_refusal_is_told_to_the_person(desk: Desk) -> None:
    desk.refuse = NotAllowed("platform-lead requested release r2 and cannot decide it; ask another approver")
    told = desk.press(click())
    assert (told.text, told.decided) == (str(desk.refuse), False)


@pytest.mark.parametrize(
    "signed",
    [sign(b"payload=%7B"), sign(b""), click("another-app"), click(value={"release": "r2"}), click(value=[1])],
    ids=["no JSON", "nothing", "another app's button", "half a question", "a list"],
)
def test_a_request_that_is_no_click_of_ours_changes_nothing(desk: Desk, signed: SignedRequest) -> None:
    with pytest.raises(InvalidInput):
        desk.press(signed)
    assert desk.decisions == []


def test_the_message_that_asks_carries_buttons_that_answer_it(desk: Desk) -> None:
    detail = {"kind": "approval_requested", "release": "r2", "evidence": {"question": "3fa2c1d0"}}
    asked = notification_of("release.approval_requested", detail, ConsoleLinks("production"))
    assert asked is not None
    assert asked.command.endswith("--question 3fa2c1d0")
    (actions,) = [b for b in notification_body(asked)["attachments"][0]["blocks"] if b["type"] == "actions"]
    approve, deny = actions["elements"]
    assert json.loads(approve["value"]) == QUESTION == json.loads(deny["value"])
    assert desk.press(click(approve["action_id"], json.loads(approve["value"]))).decided


def test_the_answer_takes_the_buttons_of_the_message_and_stands_in_their_place(desk: Desk) -> None:
    detail = {"kind": "approval_requested", "release": "r2", "evidence": {"question": "3fa2c1d0"}}
    asked = notification_of("release.approval_requested", detail, ConsoleLinks("production"))
    assert asked is not None
    # As Slack sends it back: with what it made of it, too.
    body = notification_body(asked)
    message = {
        **body,
        "type": "message",
        "attachments": [{**body["attachments"][0], "id": 1, "fallback": "[no preview available]"}],
    }
    told = desk.press(click(message=message))
    answer = reply_body(told)
    assert answer["replace_original"] is True
    (left,) = answer["attachments"]
    kinds = [block["type"] for block in left["blocks"]]
    assert "actions" not in kinds and left["blocks"][-1]["text"]["text"] == "r2 was approved by platform-lead"
    assert left["color"] == body["attachments"][0]["color"] and answer["blocks"] == body["blocks"]


def test_a_refusal_leaves_the_message_as_it_is_for_others(desk: Desk) -> None:
    desk.refuse = NotAllowed("not you")
    answer = reply_body(desk.press(click(message={"blocks": [{"type": "actions"}]})))
    assert (answer["replace_original"], answer["response_type"]) == (False, "ephemeral")


def test_a_message_that_is_none_is_answered_all_the_same(desk: Desk) -> None:
    for message in (None, [], "x", {"attachments": ["x", {"blocks": []}]}):
        assert reply_body(desk.press(click(message=message, user=f"U{len(str(message))}")))["text"]
