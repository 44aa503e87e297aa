"""What every handler shares: typed input, one environment, what is logged, SQS batches, URL events."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from candlefish import telemetry
from candlefish.errors import (
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    NotYet5s,
    NotYet15s,
    NotYet3600s,
    ServiceBusy,
    Unavailable,
)
from candlefish.handler import KEEP_WARM, Nothing, handler, look
from candlefish.invocation import seconds_left
from candlefish.sqs import Batch, Message, each_message
from candlefish.web import HttpAnswer, HttpRequest, respond


class Order(msgspec.Struct):
    service: str
    environment: str = ""


@handler
def ordered(event: Order) -> list[str]:
    return [event.service]


@handler
def scheduled(event: Nothing) -> int:
    return 1


def test_a_ping_that_keeps_a_function_warm_is_answered_and_does_nothing() -> None:
    seen: list[Any] = []

    @handler
    def takes_anything(event: Any) -> None:
        seen.append(event)

    assert takes_anything(dict(KEEP_WARM), None) is None
    assert seen == []
    for other in ({}, {"keep_warm": False}, {**KEEP_WARM, "Records": []}, {"body": '{"keep_warm": true}'}):
        takes_anything(other, None)
    assert len(seen) == 4


@pytest.fixture(autouse=True)
def staging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")


class Context:
    def __init__(self, millis: int) -> None:
        self._millis = millis

    def get_remaining_time_in_millis(self) -> int:
        return self._millis


def test_whatever_is_asked_meanwhile_knows_how_long_the_function_still_lives() -> None:
    left: list[float] = []

    @handler
    def looks(event: Nothing) -> None:
        left.append(seconds_left())

    for context in (Context(7500), None):
        looks({}, context)
    assert left == [7.5, math.inf]


class Looked(msgspec.Struct):
    reason: str
    look_again: float | None


@pytest.mark.parametrize(
    ("wait", "error"), [(0, NotYet5s), (1, NotYet5s), (15, NotYet15s), (59, NotYet15s), (9000, NotYet3600s)]
)
def test_a_look_that_is_not_finished_says_to_the_machine_when_to_look_again(wait: float, error: type) -> None:
    @look
    def looks(event: Looked) -> Looked:
        return event

    assert looks({"reason": "it is there", "look_again": None}, None) == {
        "reason": "it is there",
        "look_again": None,
    }
    with pytest.raises(error, match="2 of 3 are there") as raised:
        looks({"reason": "2 of 3 are there", "look_again": wait}, None)
    assert type(raised.value) is error


def test_an_event_is_parsed_to_what_the_handler_says_that_it_takes() -> None:
    assert ordered({"service": "website", "more": 1}, None) == ["website"]
    with pytest.raises(InvalidInput, match="service"):
        ordered({}, None)


def test_the_own_environment_is_taken_and_another_one_is_refused_with_what_to_do() -> None:
    assert ordered({"service": "website", "environment": "staging"}, None) == ["website"]
    with pytest.raises(InvalidInput, match=r"is that of staging, the input names 'production'.*nothing was"):
        ordered({"service": "website", "environment": "production"}, None)


def test_what_a_schedule_sends_is_not_looked_at() -> None:
    assert scheduled({"detail-type": "Scheduled Event", "resources": []}, None) == 1


# --- queues ---------------------------------------------------------------------------------


def test_a_message_that_fails_goes_back_alone_whatever_is_wrong_with_it() -> None:
    batch = msgspec.convert(
        {
            "Records": [
                {"messageId": i, "body": i, "attributes": {"SentTimestamp": "1500"}} for i in ("a", "b", "c")
            ]
        },
        Batch,
    )
    handled = []

    def handle(message: Message) -> Iterator[str]:
        if message.body == "a":
            raise Unavailable("later")
        if message.body == "b":
            raise KeyError("a bug")
        handled.append((message.body, message.sent))
        yield "done"

    assert msgspec.to_builtins(each_message(batch, handle)) == {
        "batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]
    }
    assert handled == [("c", 1.5)]


# --- function URLs --------------------------------------------------------------------------


def request(**fields: Any) -> HttpRequest:
    return msgspec.convert(fields, HttpRequest)


SIGNED = {"http": {"method": "POST"}, "authorizer": {"iam": {"userArn": "arn:aws:iam::1:user/alice"}}}


def test_the_caller_is_who_signed() -> None:
    assert request(requestContext=SIGNED).caller() == "arn:aws:iam::1:user/alice"
    for context in ({}, {"authorizer": {}}, {"authorizer": {"iam": None}}, {"authorizer": None}):
        with pytest.raises(NotAllowed, match="no IAM identity"):
            request(requestContext=context).caller()


def test_a_post_is_read_whether_it_is_base64_or_not() -> None:
    body = '{"service": "website"}'
    coded = base64.b64encode(body.encode()).decode()
    assert request(requestContext=SIGNED, body=body).posted(Order).service == "website"
    assert request(requestContext=SIGNED, body=coded, isBase64Encoded=True).posted(Order).service == "website"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"requestContext": {"http": {"method": "GET"}}, "body": "{}"}, "a GET changes nothing"),
        ({"requestContext": {}, "body": "{}"}, "without a method"),
        ({"requestContext": SIGNED, "body": "x" * 70_000}, "has 70000 bytes, at most 65536"),
        ({"requestContext": SIGNED, "body": "{"}, "the body is no JSON"),
        ({"requestContext": SIGNED, "body": None}, "the body is no JSON"),
        ({"requestContext": SIGNED, "body": "[]"}, "not as it must be: Expected `object`"),
        ({"requestContext": SIGNED, "body": '{"a":' * 60 + "1" + "}" * 60}, "nests deeper than 40"),
        ({"requestContext": SIGNED, "body": '{"service": "a", "more": 1e999}'}, "Infinity|inf|out of range"),
        ({"requestContext": SIGNED, "body": '{"service": "\\ud83d"}'}, "no JSON"),
        ({"requestContext": SIGNED, "body": "%", "isBase64Encoded": True}, "not base64"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        request(**fields).posted(Order)


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotAllowed("no"), 403), (InvalidInput("no"), 400), (Unavailable("no"), 503), (ServiceBusy("no"), 409)],
)
def test_our_errors_are_statuses(error: Exception, status: int) -> None:
    def refuse() -> None:
        raise error

    refused = respond(refuse)
    assert refused.status_code == status
    name = type(error).__name__
    assert refused.headers["content-type"] == "application/problem+json"
    assert msgspec.json.decode(refused.body) == {
        "type": "about:blank",
        "title": name,
        "status": status,
        "detail": "no",
        "error": name,
        "message": "no",
    }


def test_who_shows_no_token_is_told_what_to_show() -> None:
    def refuse() -> None:
        raise NotSignedIn("sign in")

    refused = respond(refuse)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


def test_an_answer_is_as_a_function_url_wants_it() -> None:
    answered: HttpAnswer = respond(lambda: {"a": 1})
    assert msgspec.to_builtins(answered) == {
        "statusCode": 200,
        "headers": {
            "content-type": "application/json",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        },
        "body": '{"a":1}',
        "isBase64Encoded": False,
    }


def test_what_is_refused_is_logged_as_that_and_nothing_new_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page that is open asks every second or so, and mostly has it already."""
    told: list[str] = []
    monkeypatch.setattr(telemetry.logger, "warning", lambda text, *said: told.append(text % said))
    answers = [HttpAnswer(200, {}, "{}"), HttpAnswer(304, {}, ""), HttpAnswer(404, {}, "no such release")]

    @handler
    def looked(event: Nothing) -> HttpAnswer:
        return answers.pop(0)

    for _ in range(3):
        looked({}, None)
    assert told == ["404: no such release"]


PATH = "/v1/things/{service}/order"


def test_what_the_path_names_is_a_part_of_what_is_posted() -> None:
    asked = request(requestContext=SIGNED, rawPath="/v1/things/website/order", body="{}")
    assert asked.posted(Order, PATH).service == "website"
    # All is said by the path.
    assert request(requestContext=SIGNED, rawPath="/v1/things/website/order").posted(Order, PATH).service == (
        "website"
    )
    # A function URL has no path: the body says all.
    at_the_root = request(requestContext=SIGNED, rawPath="/", body='{"service": "website"}')
    assert at_the_root.posted(Order, PATH).service == "website"


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/v1/things/website/order", '{"service": "other"}', "without service, which the path says"),
        ("/v1/things/website/order", "[]", "must be an object"),
        ("/v1/things/web%2fsite/order", "", "no JSON"),
        ("/v1/things/a/b/order", "", "no JSON"),
        ("/v1/things//order", "", "no JSON"),
    ],
)
def test_a_path_and_a_body_that_contradict_are_refused(path: str, body: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        request(requestContext=SIGNED, rawPath=path, body=body).posted(Order, PATH)


def test_a_query_says_each_thing_once_and_is_text() -> None:
    assert request(rawQueryString="before=a%20b&x=").query() == {"before": "a b", "x": ""}
    assert request().query() == {}
    for wrong in ("a=1&a=2", "a=%ff", "a=" + "x" * 3000, "&".join(f"a{n}=1" for n in range(30))):
        with pytest.raises(InvalidInput, match="query"):
            request(rawQueryString=wrong).query()
