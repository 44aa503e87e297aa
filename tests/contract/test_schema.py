"""Old code meets new records, and new code old ones: read, refused by name, or written back whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.adapters.table import keys
from candlefish.adapters.table.approvals import DynamoApprovals
from candlefish.adapters.table.calibrations import DynamoCalibrations
from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.adapters.table.drills import DynamoDrills
from candlefish.adapters.table.failovers import DynamoRuns, DynamoStableVersions
from candlefish.adapters.table.items import carried, packed
from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.records import DynamoRecords
from candlefish.adapters.table.signals import DynamoGuards
from candlefish.errors import Permanent, RecordTooNew
from candlefish.release.model import answer_question
from candlefish.service.model import Hold
from candlefish.service.record import add_hold, intend_weight, lift_hold
from tests.support.table import TABLE, dynamodb_table

ENVIRONMENT = "production"
# What the code of ab9170d (2026-11-28) wrote in the middle of a canary: no item has a schema.
BEFORE = json.loads((Path(__file__).parent / "stored" / "ab9170d.json").read_text())
HOLD = Hold("alert", "errors rise", 1_790_000_005.0, "signals")


class Part(msgspec.Struct):
    version: str


class Whole(msgspec.Struct):
    part: Part
    parts: tuple[Part, ...] = ()


@pytest.fixture
def table() -> Iterator[Any]:
    with dynamodb_table() as client:
        for item in BEFORE:
            client.put_item(TableName=TABLE, Item=item)
        yield client


def reads(client: Any) -> dict[str, Callable[[], Any]]:
    """Every kind that other code reads later, by the item that it stands in."""
    return {
        "record": lambda: DynamoRecords(client, TABLE, ENVIRONMENT).get("website"),
        "release": lambda: DynamoJournalStore(client, TABLE, ENVIRONMENT).read("website-2"),
        "approval": lambda: DynamoApprovals(client, TABLE).read("website-2"),
        "capacity": lambda: DynamoCapacity(client, TABLE, ENVIRONMENT).get(),
        "guard": lambda: DynamoGuards(client, TABLE, ENVIRONMENT).get(),
        "drill": lambda: DynamoDrills(client, TABLE, ENVIRONMENT).read("drill-1"),
        "failover": lambda: DynamoRuns(client, TABLE, ENVIRONMENT).current("database/main"),
        "stable": lambda: DynamoStableVersions(client, TABLE, ENVIRONMENT).read("website"),
    }


def stored(client: Any, kind: str) -> dict[str, Any]:
    """The one item of a kind."""
    pattern = keys.ITEMS[kind]
    pk, sk = (each.partition("{")[0] for each in (pattern.pk, pattern.sk))
    found = client.scan(TableName=TABLE)["Items"]
    (item,) = (each for each in found if each["pk"]["S"].startswith(pk) and each["sk"]["S"].startswith(sk))
    return dict(item)


def as_written_later(client: Any, kind: str, schema: int | None, **fields: Any) -> None:
    """Another stack's code wrote the item: fields that this code does not know, perhaps another schema."""
    item = stored(client, kind)
    body = json.loads(item["body"]["S"]) | fields
    later = {**item, "body": {"S": json.dumps(body)}}
    if schema is not None:
        later["schema"] = {"N": str(schema)}
    client.put_item(TableName=TABLE, Item=later)


KINDS = ("record", "release", "approval", "capacity", "guard", "drill", "failover", "stable")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_before_there_were_schemas_is_read(table: Any, kind: str) -> None:
    assert "schema" not in stored(table, kind)
    assert reads(table)[kind]() is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_newer_schema_is_refused_by_name(table: Any, kind: str) -> None:
    as_written_later(table, kind, keys.ITEMS[kind].schema + 1)
    with pytest.raises(RecordTooNew, match="Deploy the newer stack again") as refused:
        reads(table)[kind]()
    assert isinstance(refused.value, Permanent)
    assert f"has schema {keys.ITEMS[kind].schema + 1} and this code knows {keys.ITEMS[kind].schema}" in str(
        refused.value
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_newer_code_is_ignored(table: Any, kind: str) -> None:
    before = reads(table)[kind]()
    as_written_later(table, kind, keys.ITEMS[kind].schema, of_tomorrow={"deep": [1, 2]})
    assert reads(table)[kind]() == before


def test_one_record_that_is_too_new_keeps_nobody_from_the_others(table: Any) -> None:
    records = DynamoRecords(table, TABLE, ENVIRONMENT)
    other = msgspec.structs.replace(records.get("website"), service="backend-api", revision=0)
    records.create(other)
    key = keys.RECORD.key(environment=ENVIRONMENT, service="website")
    item = table.get_item(TableName=TABLE, Key=key)["Item"]
    table.put_item(TableName=TABLE, Item={**item, "schema": {"N": "99"}})
    found = records.all()
    assert [each.service for each in found.readable] == ["backend-api"]
    (refused,) = found.unreadable
    assert refused.service == "website" and "schema 99" in refused.why


def test_older_code_that_changes_a_record_keeps_what_newer_code_wrote(table: Any) -> None:
    body = json.loads(stored(table, "record")["body"]["S"])
    slots = {name: {**slot, "of_tomorrow": name} for name, slot in body["slots"].items()}
    holds = [{**each, "of_tomorrow": 1} for each in body["holds"]]
    as_written_later(table, "record", 1, of_tomorrow={"frozen": True}, slots=slots, holds=holds)
    records = DynamoRecords(table, TABLE, ENVIRONMENT)
    second = Hold("person", "looks odd", 1_790_000_010.0, "lead")
    records.update("website", lambda r: intend_weight(r, generation=2, slot="blue", weight=5))
    records.update("website", lambda r: add_hold(r, second))
    after = json.loads(stored(table, "record")["body"]["S"])
    assert after["of_tomorrow"] == {"frozen": True}
    assert {name: slot["of_tomorrow"] for name, slot in after["slots"].items()} == {
        "blue": "blue",
        "green": "green",
    }
    assert after["desired"] == {"blue": 5, "green": 95}
    assert [each.get("of_tomorrow") for each in after["holds"]] == [1, None]
    records.update("website", lambda r: lift_hold(r, HOLD.key))
    assert [each["key"] for each in json.loads(stored(table, "record")["body"]["S"])["holds"]] == ["person"]


def test_what_newer_code_said_of_a_part_goes_with_that_part() -> None:
    """A slot that another version moved into is another slot: what was said of the old one may be false of it."""
    there = '{"part": {"version": "1", "since": 5}, "parts": [{"version": "a", "since": 6}], "note": "n"}'
    same = Whole(Part("1"), (Part("b"), Part("a")))
    assert json.loads(carried(same, there)) == {
        "part": {"version": "1", "since": 5},
        "parts": [{"version": "b"}, {"version": "a", "since": 6}],
        "note": "n",
    }
    assert json.loads(carried(Whole(Part("2")), there)) == {
        "part": {"version": "2"},
        "parts": [],
        "note": "n",
    }


def test_every_store_that_changes_an_item_keeps_what_it_does_not_know(table: Any) -> None:
    changes: dict[str, Callable[[], Any]] = {
        "capacity": lambda: DynamoCapacity(table, TABLE, ENVIRONMENT).update(
            lambda r: msgspec.structs.replace(r, reason="morning")
        ),
        "guard": lambda: DynamoGuards(table, TABLE, ENVIRONMENT).update(
            lambda r: msgspec.structs.replace(r, claims=())
        ),
        "drill": lambda: DynamoDrills(table, TABLE, ENVIRONMENT).update(
            "drill-1", lambda d: msgspec.structs.replace(d, why="it was read")
        ),
        "failover": lambda: DynamoRuns(table, TABLE, ENVIRONMENT).update(
            "database/main", lambda r: msgspec.structs.replace(r, why="it is fenced")
        ),
        "approval": lambda: answer(DynamoApprovals(table, TABLE)),
    }
    for kind, change in changes.items():
        as_written_later(table, kind, keys.ITEMS[kind].schema, of_tomorrow="kept")
        if kind == "approval":
            # Older code wrote no attribute for who said yes: the question can be answered all the same.
            assert "approvers" not in stored(table, kind)
        change()
        item = stored(table, kind)
        assert json.loads(item["body"]["S"])["of_tomorrow"] == "kept"
        assert item["schema"] == {"N": str(keys.ITEMS[kind].schema)}


def answer(approvals: DynamoApprovals) -> None:
    asked = approvals.read("website-2")
    assert approvals.answer(asked, answer_question(asked, "approved", "lead"))


def test_a_calibration_that_is_too_new_is_learnt_again(table: Any) -> None:
    key = keys.CALIBRATION.key(environment=ENVIRONMENT, service="website", source="cloudwatch")
    item = {**key, **packed(keys.CALIBRATION, {}), "schema": {"N": "99"}}
    table.put_item(TableName=TABLE, Item=item)
    assert DynamoCalibrations(table, TABLE, ENVIRONMENT).get("website", "cloudwatch") == {}
