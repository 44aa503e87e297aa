"""What stands between an alert and ModifyRule: the calls, counted as botocore makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

from candlefish.adapters.aws.elbv2 import LoadBalancer
from candlefish.adapters.aws.tag_switch import TagSwitch
from candlefish.adapters.table import keys
from candlefish.adapters.table.records import DynamoRecords
from candlefish.adapters.table.sight import DynamoLook
from candlefish.adapters.table.signals import DynamoGuards, DynamoSignalLog
from candlefish.errors import NotOnboarded
from candlefish.release.restore_traffic import take_back
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.record import GuardRecord
from tests.support.signal_world import World, alert, delivery
from tests.support.table import TABLE

ENVIRONMENT, SERVICE = "production", "backend-api"


class Elbv2:
    """The load balancer's client, as far as one rule goes."""

    def __init__(self, calls: list[str], weights: dict[str, int]) -> None:
        self._calls, self._weights = calls, weights

    def describe_rules(self, RuleArns: list[str]) -> dict[str, Any]:  # noqa: N803
        self._calls.append("DescribeRules")
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in self._weights.items()]
        forward = {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}},
        }
        return {"Rules": [{"RuleArn": RuleArns[0], "Actions": [forward]}]}

    def modify_rule(self, RuleArn: str, Actions: list[dict[str, Any]]) -> None:  # noqa: N803
        self._calls.append("ModifyRule")
        groups = Actions[-1]["ForwardConfig"]["TargetGroups"]
        self._weights.clear()
        self._weights.update({group["TargetGroupArn"]: group["Weight"] for group in groups})

    def describe_target_health(self, TargetGroupArn: str) -> dict[str, Any]:  # noqa: N803
        self._calls.append("DescribeTargetHealth")
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": "healthy"}}]}


class Switch:
    """Step Functions' tags."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def list_tags_for_resource(self, resourceArn: str) -> dict[str, Any]:  # noqa: N803
        self._calls.append("ListTagsForResource")
        return {"tags": []}


@pytest.fixture
def calls(dynamodb: Any) -> Iterator[list[str]]:
    seen: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb.*", lambda model, **_: seen.append(model.name))
    yield seen


def stage(dynamodb: Any, calls: list[str]) -> tuple[World, dict[str, int]]:
    """A control plane on the table, whose service is inside its rollback window."""
    world = World().promoted()
    record = world.records.stored[SERVICE]
    records = DynamoRecords(dynamodb, TABLE, ENVIRONMENT)
    records.create(record)
    guards, log = DynamoGuards(dynamodb, TABLE, ENVIRONMENT), DynamoSignalLog(dynamodb, TABLE, ENVIRONMENT)
    weights = record.weights_by_target_group()
    look = DynamoLook(
        dynamodb, TABLE, ENVIRONMENT, guards=guards, log=log, records=records, asleep=lambda item: ""
    )
    world.ports = msgspec.structs.replace(
        world.ports,
        guards=guards,
        log=log,
        records=records,
        switchboard=TagSwitch(Switch(calls), "arn:respond"),
        look=look,
        take_back=partial(take_back, rules=LoadBalancer(Elbv2(calls, weights)), now=world.clock),
    )
    calls.clear()
    return world, weights


def test_five_calls_stand_between_the_queue_and_modify_rule(dynamodb: Any, calls: list[str]) -> None:
    world, weights = stage(dynamodb, calls)
    what = delivery(alert("ServiceDown", at=world.clock()), at=world.clock())
    (line,) = handle_signal(what, message="m1", ports=world.ports)
    assert line.decision.action == "rollback"
    before = calls[: calls.index("ModifyRule")]
    # The rule is read beside the record's write.
    assert sorted(before) == sorted(
        ["BatchGetItem", "ListTagsForResource", "PutItem", "PutItem", "DescribeRules"]
    )
    assert before[:3] == ["BatchGetItem", "ListTagsForResource", "PutItem"]
    assert sum(weights.values()) == 100
    assert weights[world.ports.records.get(SERVICE).slots["green"].target_group] == 100


def test_what_was_read_at_once_is_what_is_stored(dynamodb: Any, calls: list[str]) -> None:
    world, _ = stage(dynamodb, calls)
    assert world.ports.look
    sight = world.ports.look(["f"], [SERVICE, "website"])
    assert calls == ["BatchGetItem"]
    assert sight.guards.get() == GuardRecord()
    assert sight.records.get(SERVICE) == world.ports.records.get(SERVICE)
    with pytest.raises(NotOnboarded, match="candlefish onboard website"):
        sight.records.get("website")
    assert sight.known == {}


def test_who_was_overtaken_since_reads_anew(dynamodb: Any, calls: list[str]) -> None:
    world, _ = stage(dynamodb, calls)
    assert world.ports.look
    sight = world.ports.look([], [SERVICE])
    theirs = world.ports.records.update(SERVICE, lambda r: msgspec.structs.replace(r, watcher="theirs"))
    seen = []

    def change(record: Any) -> Any:
        seen.append(record.watcher)
        return msgspec.structs.replace(record, earlier_writers_at=7.0)

    ours = sight.records.update(SERVICE, change)
    assert seen[-1] == "theirs" and len(seen) == 2
    assert (ours.watcher, ours.earlier_writers_at) == (theirs.watcher, 7.0)
    assert sight.records.get(SERVICE) == ours, "after a change all is read anew"


def test_what_newer_code_wrote_stays_where_it_was_read_at_once(dynamodb: Any, calls: list[str]) -> None:
    world, _ = stage(dynamodb, calls)
    key = keys.RECORD.key(environment=ENVIRONMENT, service=SERVICE)
    item = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    body = {**json.loads(item["body"]["S"]), "of_tomorrow": 1}
    dynamodb.put_item(TableName=TABLE, Item={**item, "body": {"S": json.dumps(body)}})
    assert world.ports.look
    sight = world.ports.look([], [SERVICE])
    sight.records.update(SERVICE, lambda r: msgspec.structs.replace(r, earlier_writers_at=7.0))
    stored = json.loads(dynamodb.get_item(TableName=TABLE, Key=key)["Item"]["body"]["S"])
    assert (stored["of_tomorrow"], stored["earlier_writers_at"]) == (1, 7.0)


def test_an_hundred_alerts_are_two_reads(dynamodb: Any, calls: list[str]) -> None:
    world, _ = stage(dynamodb, calls)
    assert world.ports.look
    world.ports.look([f"f{n}" for n in range(100)], [SERVICE])
    assert calls == ["BatchGetItem"] * 2
