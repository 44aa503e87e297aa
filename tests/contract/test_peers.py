"""The other environments' fleets, asked side by side: who does not answer is a column that says so."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from candlefish.adapters.aws.peers import PeerFleets
from candlefish.catalog.stack_parameters import peers_of
from candlefish.web import HttpAnswer, HttpRequest, answer
from tests.support.catalogs import catalog
from tests.support.views import fleet

ARNS = {
    "staging": "arn:aws:lambda:us-west-2:222222222222:function:candlefish-staging-serve-views:live",
    "development": "arn:aws:lambda:eu-west-1:333333333333:function:candlefish-development-serve-views:live",
}
Does = Callable[[dict[str, Any]], dict[str, Any]]


def gives(said: HttpAnswer) -> dict[str, Any]:
    return {"Payload": io.BytesIO(msgspec.json.encode(said))}


def refuses(code: str) -> Does:
    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Invoke")

    return invoke


def late(event: dict[str, Any]) -> dict[str, Any]:
    raise ReadTimeoutError(endpoint_url="https://lambda.eu-west-1.amazonaws.com")


class Lambda:
    """Lambda of every region; `does` is what a function does, by its ARN."""

    def __init__(self, does: Mapping[str, Does]) -> None:
        self._does = does
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def of(self, region: str) -> Any:
        outer = self

        class Client:
            def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - AWS's names
                event = json.loads(Payload)
                outer.asked.append((region, FunctionName, event))
                return outer._does[FunctionName](event)

        return Client()


def asked(staging: Does, development: Does, patience: float = 60.0) -> tuple[Lambda, Any, Any]:
    aws = Lambda({ARNS["staging"]: staging, ARNS["development"]: development})
    fleets, silent = PeerFleets(ARNS, catalog(), aws.of, patience).begin("a-token")()
    return aws, fleets, silent


def shows(event: dict[str, Any]) -> dict[str, Any]:
    return gives(answer(200, fleet()))


def test_each_is_asked_where_it_is_with_the_readers_token_for_itself_alone() -> None:
    aws, fleets, silent = asked(shows, shows)
    assert fleets == [fleet(), fleet()] and silent == []
    assert sorted((region, arn) for region, arn, _ in aws.asked) == sorted(
        (arn.split(":")[3], arn) for arn in ARNS.values()
    )
    for _, _, event in aws.asked:
        request = msgspec.convert(event, HttpRequest)
        assert (request.bearer, request.raw_path, request.query()) == (
            "a-token",
            "/v1/fleet",
            {"only": "here"},
        )
        assert request.method == "GET" and request.request_context.authorizer is None


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (refuses("AccessDeniedException"), "does not let this one ask (AccessDeniedException)"),
        (late, "does not answer (ReadTimeoutError)"),
        (lambda event: {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}, "failed at showing"),
        (lambda event: {"Payload": io.BytesIO(b"nonsense")}, "in another way than this one"),
        (lambda event: gives(answer(200, {"other": 1})), "in another way than this one"),
        (lambda event: gives(answer(401, {})), "it signs people in elsewhere"),
        (lambda event: gives(answer(403, {})), "you have no role there"),
        (lambda event: gives(answer(500, {})), "answered 500"),
    ],
)
def test_who_does_not_show_it_is_a_column_that_says_why(does: Does, why: str) -> None:
    _, fleets, (column,) = asked(shows, does)
    assert len(fleets) == 1
    assert (column.environment, column.tone) == ("development", "unknown") and why in column.unknown


def test_where_there_is_no_control_plane_there_is_no_column() -> None:
    _, fleets, silent = asked(shows, refuses("ResourceNotFoundException"))
    assert (len(fleets), silent) == (1, [])


def test_they_are_asked_side_by_side() -> None:
    """Each waits for the other to be asked."""
    both = threading.Barrier(2)

    def meets(event: dict[str, Any]) -> dict[str, Any]:
        both.wait(60)
        return shows(event)

    _, fleets, silent = asked(meets, meets)
    assert (len(fleets), silent) == (2, [])


def test_nobody_waits_for_who_is_late() -> None:
    go_on = threading.Event()

    def hangs(event: dict[str, Any]) -> dict[str, Any]:
        go_on.wait(60)
        return shows(event)

    try:
        _, fleets, silent = asked(hangs, hangs, patience=0.0)
        assert fleets == []
        assert {column.unknown for column in silent} == {"its control plane did not answer within 0 s"}
    finally:
        go_on.set()


def test_who_has_no_console_asks_nobody_and_is_asked_by_nobody() -> None:
    plain = catalog()
    assert peers_of(plain.environments["production"], plain) == {}
