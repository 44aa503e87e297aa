"""The endpoint: tokens, bodies, the queue, and what is said to whom."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.signals.model import BearerToken
from candlefish.signals.receive_alerts import MAX_BODY, WebhookReply, receive_alerts, unauthorised
from candlefish.signals.sources import from_queue
from candlefish.signals.token_rotation import rotate_token
from candlefish.web import HttpRequest
from lab.memory.signals import MemoryQueue, MemoryTokens
from tests.support.clock import Clock

BODY = (Path(__file__).parents[3] / "events" / "signals" / "alertmanager.json").read_bytes()
GOOD = "s3cret-token-of-this-week"
OLD = "s3cret-token-of-last-week"
NOW = Clock()()
LONE_SURROGATE = (
    b'{"version": "4", "alerts": [{"status": "firing", "labels": {"a": "\\ud800"}, '
    b'"startsAt": "2026-11-24T10:00:00Z"}]}'
)


def request(method: str, headers: dict[str, str], body: bytes) -> HttpRequest:
    """A function URL's event as the handler gets it."""
    event = {
        "requestContext": {"http": {"method": method}},
        "headers": headers,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    return msgspec.convert(event, HttpRequest)


def post(
    body: bytes = BODY,
    *,
    authorization: str | None = f"Bearer {GOOD}",
    tokens: MemoryTokens | None = None,
    queue: MemoryQueue | None = None,
    method: str = "POST",
) -> WebhookReply:
    headers = {} if authorization is None else {"authorization": authorization}
    return receive_alerts(
        request(method, headers, body),
        environment="production",
        tokens=tokens or MemoryTokens(BearerToken(GOOD)),
        queue=MemoryQueue() if queue is None else queue,
        now=Clock(),
    )


def test_what_was_accepted_is_on_the_queue() -> None:
    queue = MemoryQueue()
    assert post(queue=queue) == WebhookReply(202, "1 alerts queued")
    (message,) = queue.messages
    assert from_queue(message.decode(), NOW).alerts[0].labels["alertname"] == "ServiceDown"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {GOOD}",
        GOOD,
        f"Bearer {GOOD}x",
        f"Bearer {GOOD[:-1]}",
        f"Bearer x{GOOD}",
        "Bearer \udcff",
        "Bearer " + "x" * 100_000,
    ],
)
def test_nobody_comes_in_without_the_token_and_nothing_is_queued(authorization: str | None) -> None:
    queue = MemoryQueue()
    reply = post(authorization=authorization, queue=queue)
    assert (reply.status, queue.messages) == (401, [])
    assert GOOD not in str(reply.as_answer())
    assert reply.as_answer().headers["www-authenticate"] == "Bearer"


def test_while_it_is_rotated_both_tokens_are_valid_and_then_only_the_new_one() -> None:
    during = MemoryTokens(BearerToken(GOOD), BearerToken(OLD, NOW + 60))
    after = MemoryTokens(BearerToken(GOOD), BearerToken(OLD, NOW - 1))
    assert post(authorization=f"Bearer {OLD}", tokens=during).status == 202
    assert post(authorization=f"Bearer {GOOD}", tokens=during).status == 202
    refused = post(authorization=f"Bearer {OLD}", tokens=after)
    assert refused == WebhookReply(401, "the token has expired; use the newest")


def test_alerts_with_an_expired_token_are_themselves_a_signal_once_an_hour() -> None:
    clock, queue = Clock(NOW), MemoryQueue()
    tokens = MemoryTokens(BearerToken(GOOD), BearerToken(OLD, NOW - 1))
    for _ in range(2):
        assert post(authorization=f"Bearer {OLD}", tokens=tokens, queue=queue).status == 401
    assert post(authorization="Bearer guess", tokens=tokens, queue=queue).status == 401
    told = [from_queue(body.decode(), clock()) for body in queue.messages]
    assert [delivery.source for delivery in told] == ["finding", "finding"]
    (first, again) = (delivery.alerts[0] for delivery in told)
    # The same firing: the guard tells it once.
    assert (first.fingerprint, first.started_at) == (again.fingerprint, again.started_at)
    assert first.labels["alertname"] == "alert-token-expired"
    assert "rotate-token" in first.summary


def test_a_token_that_was_made_a_moment_ago_is_found() -> None:
    clock = Clock(NOW)
    tokens = MemoryTokens(BearerToken(OLD), now=clock)
    assert post(authorization=f"Bearer {OLD}", tokens=tokens).status == 202
    clock.forward(11)
    tokens.stored = (BearerToken(GOOD), BearerToken(OLD, NOW + 60))
    assert post(tokens=tokens).status == 202


def test_a_valid_token_does_not_read_the_secret_again() -> None:
    tokens = MemoryTokens(BearerToken(GOOD))
    for _ in range(5):
        post(tokens=tokens)
    assert tokens.reads == 1


@pytest.mark.parametrize("broken", ["queue", "tokens"])
def test_what_cannot_be_taken_is_503_so_that_it_is_sent_again(broken: str) -> None:
    queue, tokens = MemoryQueue(), MemoryTokens(BearerToken(GOOD))
    queue.broken, tokens.broken = broken == "queue", broken == "tokens"
    reply = post(queue=queue, tokens=tokens)
    assert reply.status == 503 and "send it again" in reply.reason


def test_a_body_that_is_too_large_is_413() -> None:
    assert post(b" " * (MAX_BODY + 1)).status == 413


def test_10_000_alerts_are_taken() -> None:
    payload = json.loads(BODY)
    one = payload["alerts"][0]
    payload["alerts"] = [{**one, "fingerprint": f"{i:016x}"} for i in range(10_000)]
    queue = MemoryQueue()
    assert post(json.dumps(payload).encode(), queue=queue).status == 202
    found = [a for m in queue.messages for a in from_queue(m.decode(), NOW).alerts]
    assert len({a.fingerprint for a in found}) == 10_000


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_post_is_taken(method: str) -> None:
    reply = post(method=method)
    assert reply.status == 405 and reply.as_answer().headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"version": "5", "alerts": []}', b"[]", b"null", b"1"]
)
def test_a_body_that_is_no_webhook_is_400_with_the_reason(body: bytes) -> None:
    queue = MemoryQueue()
    reply = post(body, queue=queue)
    assert reply.status == 400 and reply.reason and queue.messages == []


# Every way a webhook's JSON can be: right, nearly right, and nonsense.
TEXT = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda kids: st.lists(kids, max_size=3) | st.dictionaries(TEXT, kids, max_size=3),
    max_leaves=8,
)
TIMES = st.sampled_from(
    ["2026-11-24T10:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00"]
)
ALERT = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["firing", "resolved"]) | JSON,
        "labels": st.dictionaries(TEXT, TEXT, max_size=5) | JSON,
        "startsAt": TIMES | TEXT | JSON,
    },
    optional={
        "endsAt": TIMES | TEXT,
        "annotations": st.dictionaries(TEXT, TEXT, max_size=2) | JSON,
        "generatorURL": TEXT,
        "fingerprint": TEXT,
    },
)
WEBHOOK = st.fixed_dictionaries(
    {"version": st.just("4") | JSON, "alerts": st.lists(ALERT, max_size=4) | JSON},
    optional={"groupKey": TEXT | JSON, "truncatedAlerts": st.integers() | JSON, "status": JSON},
)


@settings(max_examples=400)
@given(WEBHOOK | JSON, st.sampled_from([None, f"Bearer {GOOD}", "Bearer no"]))
def test_whatever_is_posted_gets_a_status_of_the_contract_and_only_202_is_queued(
    payload: Any, header: str | None
) -> None:
    queue = MemoryQueue()
    reply = post(json.dumps(payload).encode(), authorization=header, queue=queue)
    assert reply.status in (202, 400, 401)
    assert (reply.status == 401) == (header != f"Bearer {GOOD}")
    assert bool(queue.messages) == (reply.status == 202)
    if reply.status == 202:
        assert sum(len(from_queue(m.decode(), NOW).alerts) for m in queue.messages) == len(payload["alerts"])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    posted = request("POST", {"Authorization": f"Bearer {GOOD}"}, body)
    assert posted.raw() == body
    assert (
        receive_alerts(
            posted,
            environment="production",
            tokens=MemoryTokens(BearerToken(GOOD)),
            queue=MemoryQueue(),
            now=Clock(),
        ).status
        == 400
    )


def test_every_token_is_compared_whatever_the_first_says(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    import hmac

    real = hmac.compare_digest

    def watched(a: Any, b: Any) -> bool:
        compared.append(b)
        return real(a, b)

    monkeypatch.setattr("candlefish.signals.receive_alerts.hmac.compare_digest", watched)
    tokens = MemoryTokens(BearerToken(GOOD), BearerToken(OLD))
    for header in (f"Bearer {GOOD}", f"Bearer {OLD}"):
        compared.clear()
        assert unauthorised(header, tokens, NOW) == ""
        assert len(compared) == 2 and {len(b) for b in compared} == {32}


def test_rotation_keeps_two_tokens_and_the_older_one_ends() -> None:
    first, stored = rotate_token((), now=NOW, overlap=3600)
    assert stored == (first,)
    second, stored = rotate_token(stored, now=NOW, overlap=3600)
    assert stored == (second, BearerToken(first.token, NOW + 3600))
    third, stored = rotate_token(stored, now=NOW + 60, overlap=3600)
    assert stored == (third, BearerToken(second.token, NOW + 60 + 3600))
    assert len({first.token, second.token, third.token}) == 3
