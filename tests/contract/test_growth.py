"""What the reconciler's minute costs as an environment grows: calls to AWS, counted at botocore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore import xform_name

from candlefish.adapters.aws.elbv2 import LoadBalancer, conditions, forward
from candlefish.adapters.aws.stepfunctions import StepFunctionsExecutions
from candlefish.adapters.aws.tag_switch import TagSwitch
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import packed
from candlefish.adapters.table.records import DynamoRecords
from candlefish.names import ENVIRONMENT_TAG
from candlefish.release.journal import Journal
from candlefish.release.reconcile_traffic import NOBODY, Died, reconcile_traffic
from candlefish.release.traffic_facts import BY_TURNS, IN_DOUBT
from candlefish.release.traffic_repairs import Repair
from candlefish.service.model import RecordMark
from candlefish.service.record import ServiceRecord
from candlefish.traffic.fittings import balancers_needed
from candlefish.traffic.ports import (
    GENERATION_TAG,
    OWNER_TAG,
    REVISION_TAG,
    TAGS_AT_ONCE,
    RuleSpec,
)
from lab.memory.events import MemoryEvents
from lab.memory.meter import MemoryMeter
from lab.memory.release import MemoryJournalStore
from tests.support.clock import Clock
from tests.support.service import V1, V2, fresh, released, take

AWS = "arn:aws:elasticloadbalancing:us-west-2:333333333333"
MACHINES = {
    each: f"arn:aws:states:us-west-2:333333333333:stateMachine:candlefish-production-{each}"
    for each in ("rollback", "watch")
}
# DynamoDB's page.
PAGE = 1 << 20
MOST = 25


class Account:
    """An account whose services rest behind as many load balancers as they need. Answers botocore, and counts."""

    def __init__(self, services: int) -> None:
        self.listeners = [
            f"{AWS}:listener/app/example-production-{number:02}/0123456789abcd{number:02}/0123456789abcdef"
            for number in range(balancers_needed(services))
        ]
        self.records = {
            record.service: record
            for record in (self._rests(f"service-{number:04}", number) for number in range(services))
        }
        self.weights = {each.rule: each.weights_by_target_group() for each in self.records.values()}
        self.marks = {each.rule: each.mark for each in self.records.values()}
        self.broken: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.clock = Clock(1_790_000_000.0)
        self.executions: dict[str, str] = {}

    def _rests(self, name: str, number: int) -> ServiceRecord:
        listener = self.listeners[number // 50]
        rule = listener.replace(":listener/", ":listener-rule/")
        record = released(released(fresh(name), f"{name}-1", V1, window=0), f"{name}-2", V2, window=0)
        slots = {
            slot: msgspec.structs.replace(each, state="empty", running=False)
            if slot != record.stable
            else each
            for slot, each in record.slots.items()
        }
        return msgspec.structs.replace(
            record,
            revision=40,
            slots=slots,
            rule=f"{rule}/{number:016}",
            smoke_rule=f"{rule}/a{number:015}",
            smoke_token="x" * 32,
            watcher=f"{name}-2-watch",
        )

    def client(self, service: str) -> Any:
        made = botocore.session.get_session().create_client(
            service, "us-west-2", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        made.meta.events.register("provide-client-params", self._remember)
        made.meta.events.register("before-call", self._answer)
        return made

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = params

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        self.calls[model.name] += 1
        answer = getattr(self, f"_{xform_name(model.name)}")(context["asked"])
        return SimpleNamespace(status_code=200), answer

    # --- answers ---------------------------------------------------------------------------------

    def _query(self, asked: dict[str, Any]) -> dict[str, Any]:
        first = asked.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        page: list[dict[str, Any]] = []
        size = 0
        for name, record in self.records.items():
            if name <= first:
                continue
            item = self._item(record)
            size += len(msgspec.json.encode(item))
            if size > PAGE:
                last = {key: page[-1][key] for key in ("pk", "sk")}
                return {"Items": page, "LastEvaluatedKey": last}
            page.append(item)
        return {"Items": page}

    def _describe_rules(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "Rules": [
                {
                    "RuleArn": arn,
                    "Priority": str(number),
                    "Conditions": conditions(RuleSpec(f"{record.service}.example.org", {}, header)),
                    "Actions": [forward(self.weights.get(arn, record.weights_by_target_group()))],
                }
                for number, record in enumerate(self.records.values(), 1)
                if asked.get("ListenerArn", record.listener) == record.listener
                for arn, header in (
                    (record.rule, None),
                    (record.smoke_rule, (record.smoke_header, record.smoke_token)),
                )
                if arn in asked.get("RuleArns", (arn,))
            ]
        }

    def _describe_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert len(asked["ResourceArns"]) <= TAGS_AT_ONCE
        by_rule = {each.rule: each for each in self.records.values()}
        return {
            "TagDescriptions": [
                {
                    "ResourceArn": arn,
                    "Tags": [
                        {"Key": OWNER_TAG, "Value": by_rule[arn].service},
                        {"Key": ENVIRONMENT_TAG, "Value": "production"},
                        {"Key": GENERATION_TAG, "Value": str(self.marks[arn].generation)},
                        {"Key": REVISION_TAG, "Value": str(self.marks[arn].revision)},
                    ]
                    if arn in by_rule
                    else [],
                }
                for arn in asked["ResourceArns"]
            ]
        }

    def _list_tags_for_resource(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"tags": []}

    def _describe_execution(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"status": self.executions.get(asked["executionArn"], "RUNNING")}

    def _start_execution(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"executionArn": f"{asked['stateMachineArn']}:{asked['name']}"}

    def _get_item(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Item": self._item(self.records[asked["Key"]["sk"]["S"]])}

    def _item(self, record: ServiceRecord) -> dict[str, Any]:
        item = {
            **keys.RECORD.key(environment="production", service=record.service),
            "revision": {"N": str(record.revision)},
            "generation": {"N": str(record.generation)},
            **packed(keys.RECORD, record),
        }
        return item | {"body": {"S": "{"}} if record.service in self.broken else item

    def _put_item(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {}


class Minute:
    """The reconciler over an account, with its real adapters."""

    def __init__(self, account: Account) -> None:
        self.account = account
        events = MemoryEvents()
        states = account.client("stepfunctions")
        self._ports = {
            "environment": "production",
            "listeners": account.listeners,
            "records": DynamoRecords(account.client("dynamodb"), "table", "production"),
            "rules": LoadBalancer(account.client("elbv2")),
            "executions": StepFunctionsExecutions(states, MACHINES),
            "journal": Journal(MemoryJournalStore(), events),
            "events": events,
            "switchboard": TagSwitch(states, MACHINES["rollback"]),
            "writers_live": 20.0,
            "meter": MemoryMeter(),
            "now": account.clock,
        }

    def look(self, died: Died = NOBODY) -> list[Repair]:
        self.account.calls.clear()
        found = reconcile_traffic(died, **self._ports)
        self.account.clock.forward(60)
        return found


@pytest.fixture
def thousand() -> Iterator[Account]:
    yield Account(1000)


@pytest.mark.parametrize(("services", "calls"), [(6, 3), (50, 3), (1000, 23)])
def test_a_minute_at_rest_costs_a_query_a_call_for_each_listener_and_one_for_tags(
    services: int, calls: int
) -> None:
    minute = Minute(Account(services))
    for _ in range(3):
        assert minute.look() == []
        assert minute.account.calls.total() == calls <= MOST, dict(minute.account.calls)
    assert set(minute.account.calls) == {"Query", "DescribeRules", "DescribeTags"}


def test_an_execution_that_died_costs_a_look_at_its_own_service(thousand: Account) -> None:
    minute = Minute(thousand)
    assert minute.look(Died("somebody-elses", "FAILED")) == []
    assert set(thousand.calls) == {"Query"}


def test_every_mark_has_its_turn(thousand: Account) -> None:
    """A record that was restored is found within the hour, and before anything is done by it."""
    minute = Minute(thousand)
    name = "service-0777"
    old = thousand.records[name]
    thousand.marks[old.rule] = RecordMark(old.revision + 1, old.generation)
    looks = next(
        number for number in range(1, 100) if [each for each in minute.look() if each.service == name]
    )
    assert looks <= 1000 / BY_TURNS + 1


def test_a_rule_that_differs_is_not_written_before_its_mark_is_read(thousand: Account) -> None:
    minute = Minute(thousand)
    old = thousand.records["service-0777"]
    thousand.marks[old.rule] = RecordMark(old.revision + 1, old.generation)
    thousand.weights[old.rule] = dict.fromkeys(old.weights_by_target_group(), 50)
    assert [(each.service, each.kind) for each in minute.look()] == [("service-0777", "quarantine")]
    assert "ModifyRule" not in thousand.calls
    # One that was lost makes the others doubtful: more of their marks are read at once, and not all.
    assert thousand.calls["DescribeTags"] == IN_DOUBT / TAGS_AT_ONCE


def test_when_all_records_were_restored_each_minute_finds_many(thousand: Account) -> None:
    minute = Minute(thousand)
    thousand.marks = {
        each.rule: RecordMark(each.revision + 3, each.generation + 1) for each in thousand.records.values()
    }
    found = minute.look()
    assert {each.kind for each in found} == {"quarantine"}
    assert len(found) == IN_DOUBT


def test_executions_are_asked_for_by_turns_and_one_that_died_at_once(thousand: Account) -> None:
    minute = Minute(thousand)
    held = sorted(thousand.records)[::5]
    for name in held:
        thousand.records[name] = taken = take(thousand.records[name], f"{name}-3", V1, now=thousand.clock.at)
        thousand.weights[taken.rule] = taken.weights_by_target_group()
        thousand.marks[taken.rule] = taken.mark
    assert minute.look() == []
    assert thousand.calls["DescribeExecution"] == BY_TURNS
    assert thousand.calls.total() <= MOST + BY_TURNS
    # Whoever is named in the event is asked for, whoever's turn it is.
    last = held[-1]
    thousand.executions[f"arn:release:{last}-3"] = "FAILED"
    found = minute.look(Died(f"{last}-3", "FAILED"))
    assert [(each.service, each.kind) for each in found] == [(last, "roll_back")]
    assert thousand.calls["DescribeRules"] == 1, "of it alone"
    # News may be lost.
    other = held[100]
    thousand.executions[f"arn:release:{other}-3"] = "ABORTED"
    looks = [each.service for _ in range(10) for each in minute.look() if each.kind == "roll_back"]
    assert other in looks


def test_a_record_that_cannot_be_read_harms_no_other() -> None:
    account = Account(200)
    minute = Minute(account)
    account.broken.add("service-0100")
    for _ in range(200 // BY_TURNS + 2):
        assert [(each.service, each.kind) for each in minute.look()] == [("service-0100", "cannot_tell")]
        assert account.calls.total() <= MOST
