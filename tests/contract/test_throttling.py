"""What clients do when AWS wants fewer requests, and what an account's buckets let through."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from moto import mock_aws

from candlefish.adapters.aws import api
from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table.looks import ENOUGH, DynamoLooks
from candlefish.errors import Throttled
from candlefish.invocation import begin
from candlefish.release.model import SeenEvidence
from lab.moto import restore
from lab.moto.elbv2 import Balancers
from lab.quotas import AWS, LOAD_BALANCING, Buckets
from lab.simulator import requests
from tests.support.clock import Clock

RULE = "arn:aws:elasticloadbalancing:us-west-2:333333333333:listener-rule/app/lb/50dc6c/0467ef/1"
BUSY = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
DONE = "<ModifyRuleResponse><ModifyRuleResult><Rules/></ModifyRuleResult></ModifyRuleResponse>"


class Wire:
    """ELBv2 that answers `busy` requests with a throttle; nobody waits for real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, busy: int, **how: Any) -> None:
        self.sent, self.busy = 0, busy
        self.pauses: list[float] = []
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setattr("botocore.endpoint.time.sleep", self.pauses.append)
        self._client = api.client.__wrapped__("elbv2", "us-west-2", **how)
        self._client.meta.events.register("before-send", self._answer)

    def write(self) -> None:
        with aws_call("writing weights"):
            self._client.modify_rule(RuleArn=RULE, Actions=[])

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
        wire.write()
    assert wire.sent == api.ATTEMPTS


def test_who_takes_users_back_asks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    left(20)
    wire = Wire(monkeypatch, busy=30, urgent=True)
    wire.write()
    assert wire.sent == 31
    assert max(wire.pauses) <= api.URGENT_PAUSE[1]


def test_and_ends_in_time_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    left(api.LAST_WORDS - 1)
    wire = Wire(monkeypatch, busy=30, urgent=True)
    with pytest.raises(Throttled):
        wire.write()
    assert wire.sent == api.ATTEMPTS


def test_what_is_no_throttle_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(status_code=400), {"Error": {"Code": "RuleNotFound"}}
    write, look = SimpleNamespace(name="ModifyRule"), SimpleNamespace(name="DescribeTargetHealth")
    assert api.ask_on(answer, write) is None
    assert api.ask_on(None, write) is None
    busy = SimpleNamespace(status_code=400), {"Error": {"Code": "Throttling"}}
    assert api.ask_on(busy, write) is not None
    assert api.ask_on(busy, look) is None, "how healthy the slot is may be unknown"


def test_what_people_see_keeps_no_judge_from_its_verdict() -> None:
    """A look is stopped after 30 s; what is shown of it was written with the patience of what it decides by."""
    calls: list[dict[str, Any]] = []
    looks = DynamoLooks(SimpleNamespace(batch_write_item=lambda **call: calls.append(call)), "table")
    seen = SeenEvidence(1.0, "continue", "judge", 0.0, 1.0, "so far so good")
    left(ENOUGH - 1)
    looks.keep("r1", seen, ())
    assert calls == []
    left(ENOUGH)
    looks.keep("r1", seen, ())
    assert len(calls) == 1


def test_and_asks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch, busy=30, urgent=False, attempts=2)
    with pytest.raises(Throttled):
        wire.write()
    assert wire.sent == 2


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


# --- what there may be of each ------------------------------------------------------------------


@pytest.fixture
def balancers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """ELBv2 of the lab, without its data plane."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        Balancers(60.0).install()
        yield boto3.client("elbv2", "us-west-2")
        restore()


def test_a_load_balancer_of_the_lab_takes_a_hundred_rules_over_all_its_listeners(balancers: Any) -> None:
    ec2 = boto3.client("ec2", "us-west-2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24", AvailabilityZone=f"us-west-2{zone}")[
            "Subnet"
        ]["SubnetId"]
        for at, zone in enumerate("ab")
    ]
    balancer = balancers.create_load_balancer(Name="full", Subnets=subnets)["LoadBalancers"][0]
    nothing = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    first, second = (
        balancers.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port, DefaultActions=nothing
        )["Listeners"][0]["ListenerArn"]
        for port in (80, 8080)
    )
    host = [{"Field": "host-header", "Values": ["a.example.org"]}]
    for number in range(100):
        balancers.create_rule(
            ListenerArn=first if number % 2 else second, Priority=number + 1, Conditions=host, Actions=nothing
        )
    with pytest.raises(ClientError, match="TooManyRules"):
        balancers.create_rule(ListenerArn=first, Priority=500, Conditions=host, Actions=nothing)
