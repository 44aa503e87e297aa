"""What stands between an alert and ModifyRule: the calls, counted as botocore makes them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from candlefish.adapters.aws.elbv2 import LoadBalancer
from candlefish.adapters.aws.secrets import SecretTokens
from candlefish.adapters.aws.sqs import SqsQueue
from candlefish.adapters.aws.tag_switch import TagSwitch
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import put_if
from candlefish.adapters.table.records import DynamoRecords
from candlefish.adapters.table.requesters import DynamoRequesters
from candlefish.adapters.table.sight import DynamoLook
from candlefish.adapters.table.signals import DynamoGuards, DynamoSignalLog
from candlefish.adapters.table.transactions import put_all
from candlefish.errors import Misconfigured, NothingToRollBack, NotOnboarded, Throttled
from candlefish.release.request_release import ReleaseCommand, request_release
from candlefish.release.restore_traffic import take_back
from candlefish.service.ports import ChangeableRecords
from candlefish.service.record import ServiceRecord
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.ports import Sight
from candlefish.signals.receive_alerts import receive_alerts
from candlefish.signals.record import GuardRecord, Mute, add_mute
from candlefish.web import HttpRequest
from tests.support.signal_world import World, alert, delivery
from tests.support.table import TABLE

ENVIRONMENT, SERVICE = "production", "backend-api"
POSTED = {
    "status": "firing",
    "labels": {"alertname": "ServiceDown", "service": SERVICE},
    "startsAt": "2026-08-01T10:00:00.000Z",
}


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


class Secrets:
    """Secrets Manager, with one token."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803
        self._calls.append("GetSecretValue")
        return {"SecretString": '{"tokens": [{"token": "a"}]}'}


class Sqs:
    """The queue, which takes everything."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self._calls.append("SendMessageBatch")
        return {"Successful": Entries}


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


def test_modify_rule_is_the_fifth_call_after_the_queue(dynamodb: Any, calls: list[str]) -> None:
    world, weights = stage(dynamodb, calls)
    what = delivery(alert("ServiceDown", at=world.clock()), at=world.clock())
    (line,) = handle_signal(what, message="m1", ports=world.ports)
    assert line.decision.action == "rollback"
    assert calls[:2] == ["BatchGetItem", "ListTagsForResource"]
    # The rule is read beside the write of claim and record.
    assert sorted(calls[2:4]) == ["DescribeRules", "TransactWriteItems"]
    assert calls[4] == "ModifyRule"
    assert sum(weights.values()) == 100
    assert weights[world.ports.records.get(SERVICE).slots["green"].target_group] == 100


def test_the_post_is_one_call_of_a_warm_endpoint(calls: list[str]) -> None:
    secrets, queue = Secrets(calls), Sqs(calls)
    now = time.time()
    receive = partial(
        receive_alerts,
        environment=ENVIRONMENT,
        tokens=SecretTokens(secrets, "tokens", lambda: now),
        queue=SqsQueue(queue, "https://sqs/signals"),
        now=lambda: now,
    )
    body = msgspec.json.encode({"version": "4", "alerts": [POSTED]}).decode()
    event = {
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"authorization": "Bearer a", "content-type": "application/json"},
        "body": body,
    }
    request = msgspec.convert(event, HttpRequest)
    assert [receive(request).as_answer().status_code for _ in range(2)] == [202, 202]
    # Who asked first read the tokens; with handle_signal's five, ModifyRule is the sixth.
    assert calls == ["GetSecretValue", "SendMessageBatch", "SendMessageBatch"]


def test_modify_rule_is_the_sixth_call_after_a_person_asked(dynamodb: Any, calls: list[str]) -> None:
    world, weights = stage(dynamodb, calls)
    ports = world.ports
    assert ports.take_back
    request_release(
        ReleaseCommand("rollback", "by-hand", {"service": SERVICE, "reason": "errors"}),
        principal=f"arn:aws:iam::{ports.catalog.environments[ENVIRONMENT].account}:user/platform-lead",
        environment=ENVIRONMENT,
        catalog=ports.catalog,
        requesters=DynamoRequesters(dynamodb, TABLE),
        executions=world.executions,
        take_back=ports.take_back,
        records=ports.records,
        now=world.clock,
    )
    # STS is asked before, by the proof of the caller (tests/integration/lab/test_callers.py): that is one more.
    assert calls[:2] == ["PutItem", "GetItem"]
    assert sorted(calls[2:4]) == ["DescribeRules", "PutItem"]
    assert calls[4] == "ModifyRule"
    assert weights[ports.records.get(SERVICE).slots["green"].target_group] == 100


def claimed_by(sight: Sight, world: World, times: list[int]) -> ChangeableRecords:
    """Records whose change carries a mute with it; `times` counts how often the guard was changed."""
    assert sight.claiming

    def change(guard: GuardRecord) -> GuardRecord:
        times.append(1)
        return add_mute(
            guard, Mute("service/x", "with the record", "test", world.clock() + 60), world.clock()
        )

    return sight.claiming(change)


def watched(record: ServiceRecord) -> ServiceRecord:
    return msgspec.structs.replace(record, watcher="ours")


def test_the_guard_and_a_record_are_stored_in_one_call(dynamodb: Any, calls: list[str]) -> None:
    world, _ = stage(dynamodb, calls)
    assert world.ports.look
    sight = world.ports.look([], [SERVICE])
    after = claimed_by(sight, world, []).update(SERVICE, watched)
    assert calls == ["BatchGetItem", "TransactWriteItems"]
    assert world.ports.records.get(SERVICE) == after
    assert [mute.reason for mute in world.ports.guards.get().mutes] == ["with the record"]
    assert sight.guards.get() == world.ports.guards.get(), "after a change all is read anew"


@pytest.mark.parametrize("which", ["guard", "record"])
def test_who_was_overtaken_in_either_begins_anew_with_both(
    dynamodb: Any, calls: list[str], which: str
) -> None:
    world, _ = stage(dynamodb, calls)
    assert world.ports.look
    sight = world.ports.look([], [SERVICE])
    if which == "guard":
        theirs = Mute("service/y", "theirs", "test", world.clock() + 60)
        world.ports.guards.update(lambda g: add_mute(g, theirs, world.clock()))
    else:
        world.ports.records.update(SERVICE, lambda r: msgspec.structs.replace(r, earlier_writers_at=7.0))
    before, times = world.ports.records.get(SERVICE), list[int]()
    claimed_by(sight, world, times).update(SERVICE, watched)
    assert len(times) == 2
    assert world.ports.records.get(SERVICE) == msgspec.structs.replace(
        before, watcher="ours", revision=before.revision + 1
    )
    reasons = [mute.reason for mute in world.ports.guards.get().mutes]
    assert reasons == (["theirs", "with the record"] if which == "guard" else ["with the record"])


def test_a_record_that_says_no_leaves_the_guard_as_it_is(dynamodb: Any, calls: list[str]) -> None:
    world, _ = stage(dynamodb, calls)
    assert world.ports.look
    before = world.ports.records.get(SERVICE)

    def refuses(record: ServiceRecord) -> ServiceRecord:
        raise NothingToRollBack("no version to go back to")

    with pytest.raises(NothingToRollBack):
        claimed_by(world.ports.look([], [SERVICE]), world, []).update(SERVICE, refuses)
    assert (world.ports.guards.get(), world.ports.records.get(SERVICE)) == (GuardRecord(), before)


def test_whoever_else_claimed_meanwhile_took_the_record_with_it(dynamodb: Any, calls: list[str]) -> None:
    """Two handlers read the same; the later one finds the claim, and changes nothing."""
    world, _ = stage(dynamodb, calls)
    what = delivery(alert("ServiceDown", at=world.clock()), at=world.clock())
    other = delivery(alert("ServiceDown", at=world.clock(), instance="b"), at=world.clock())
    look = world.ports.look
    assert look

    def late(fingerprints: Any, services: Any) -> Sight:
        seen = look(fingerprints, services)
        handle_signal(what, message="m1", ports=world.ports)
        return seen

    (line,) = handle_signal(other, message="m2", ports=msgspec.structs.replace(world.ports, look=late))
    assert (line.decision.action, line.decision.gate) == ("none", "cooldown")
    assert [machine for machine, *_ in world.executions.started] == ["respond"]
    assert len(world.ports.guards.get().claims) == 1
    assert calls.count("ModifyRule") == 1


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    answer = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": reasons,
    }
    return ClientError(answer, "TransactWriteItems")


class Cancels:
    """DynamoDB that cancels a transaction."""

    def __init__(self, error: ClientError) -> None:
        self.error = error

    def transact_write_items(self, **_: Any) -> None:
        raise self.error

    put_item = transact_write_items


@pytest.mark.parametrize(
    ("codes", "came"),
    [
        (("None", "ConditionalCheckFailed"), False),
        (("TransactionConflict", "None"), False),
        (("ThrottlingError", "ConditionalCheckFailed"), Throttled),
        (("ItemCollectionSizeLimitExceeded",), Misconfigured),
        ((), Misconfigured),
    ],
)
def test_why_a_transaction_was_cancelled_says_what_comes_of_it(codes: tuple[str, ...], came: Any) -> None:
    put = partial(put_all, Cancels(cancelled(*codes)), TABLE, [({"pk": {"S": "x"}}, 1)], what="both")
    if came is False:
        assert put() is False
        return
    with pytest.raises(came):
        put()


def test_a_put_beside_a_transaction_begins_anew() -> None:
    conflict = ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, "PutItem")
    assert put_if(Cancels(conflict), TABLE, {"pk": {"S": "x"}}, seen=1, what="x") is False


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
