"""What clients do when AWS wants fewer requests, and what an account's buckets let through."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from candlefish.adapters.aws import api
from candlefish.adapters.aws.elbv2 import LoadBalancer
from candlefish.errors import Throttled
from candlefish.invocation import begin
from lab.quotas import AWS, LOAD_BALANCING, Buckets
from lab.simulator import requests
from tests.support.clock import Clock

RULE = "arn:aws:elasticloadbalancing:us-west-2:333333333333:listener-rule/app/lb/50dc6c/0467ef/1"
BUSY = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
DONE = "<ModifyRuleResponse><ModifyRuleResult><Rules/></ModifyRuleResult></ModifyRuleResponse>"


class Wire:
    """ELBv2 that answers `busy` requests with a throttle; nobody waits for real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, busy: int, *, urgent: bool) -> None:
        self.sent, self.busy = 0, busy
        self.pauses: list[float] = []
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setattr("botocore.endpoint.time.sleep", self.pauses.append)
        client = api.client.__wrapped__("elbv2", "us-west-2", urgent=urgent)
        client.meta.events.register("before-send", self._answer)
        self.balancer = LoadBalancer(client)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.sent += 1
        status, body = (400, BUSY) if self.sent <= self.busy else (200, DONE)
        raw = SimpleNamespace(stream=lambda: iter([body.encode()]))
        return AWSResponse(request.url, status, {}, raw)


def left(seconds: float) -> None:
    begin(SimpleNamespace(get_remaining_time_in_millis=lambda: seconds * 1000))


@pytest.fixture(autouse=True)
def nobody_stops() -> Any:
    yield
    begin(None)


def test_an_ordinary_client_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch, busy=30, urgent=False)
    with pytest.raises(Throttled):
        wire.balancer.write(RULE, {"a": 100})
    assert wire.sent == api.ATTEMPTS


def test_who_takes_users_back_asks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    left(20)
    wire = Wire(monkeypatch, busy=30, urgent=True)
    wire.balancer.write(RULE, {"a": 100})
    assert wire.sent == 31
    assert max(wire.pauses) <= api.URGENT_PAUSE[1]


def test_and_ends_in_time_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    left(api.LAST_WORDS - 1)
    wire = Wire(monkeypatch, busy=30, urgent=True)
    with pytest.raises(Throttled):
        wire.balancer.write(RULE, {"a": 100})
    assert wire.sent == api.ATTEMPTS


def test_what_is_no_throttle_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(status_code=400), {"Error": {"Code": "RuleNotFound"}}
    assert api.ask_on(answer) is None
    assert api.ask_on(None) is None


# --- an account's buckets ---------------------------------------------------------------------


def test_a_bucket_is_empty_and_fills_again() -> None:
    clock = Clock(100.0)
    buckets = Buckets(clock)
    let = [buckets.take(LOAD_BALANCING, "DescribeRules") for _ in range(45)]
    assert let.count(True) == 40 and not any(let[40:])
    clock.forward(0.5)
    assert [buckets.take(LOAD_BALANCING, "DescribeTags") for _ in range(6)].count(True) == 5
    clock.forward(3600)
    assert [buckets.take(LOAD_BALANCING, "DescribeRules") for _ in range(41)].count(True) == 40
    assert buckets.refused == {"DescribeRules": 6, "DescribeTags": 1}


def test_changes_are_scarcer_and_others_have_buckets_of_their_own() -> None:
    buckets = Buckets(Clock(100.0))
    assert [buckets.take(LOAD_BALANCING, "ModifyRule") for _ in range(25)].count(True) == 20
    assert buckets.take(LOAD_BALANCING, "DescribeRules")
    assert buckets.take("states", "DescribeExecution")
    assert buckets.take("s3", "GetObject"), "nothing is known of a quota of it"


def test_what_a_refused_request_would_have_taken_is_left() -> None:
    buckets = Buckets(Clock(100.0))
    for _ in range(30):
        buckets.take(LOAD_BALANCING, "ModifyRule")
    assert [buckets.take(LOAD_BALANCING, "DescribeRules") for _ in range(40)].count(True) == 20


def test_every_call_of_the_simulator_has_a_bucket() -> None:
    for (port, method), sends in requests.CALLS.items():
        for service, action in sends((["rule"],)):
            assert any(each.service == service and action.startswith(each.actions) for each in AWS), (
                port,
                method,
            )
