"""What a hand, or newer code, may have left in the table in place of an item: named where it is, and nobody else's harm."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from candlefish.adapters.table import keys
from candlefish.adapters.table.approvals import DynamoApprovals
from candlefish.adapters.table.bills import DynamoBills
from candlefish.adapters.table.calibrations import DynamoCalibrations
from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.adapters.table.drills import DynamoDrills
from candlefish.adapters.table.failovers import DynamoRuns, DynamoStableVersions
from candlefish.adapters.table.freezes import DynamoFreezes
from candlefish.adapters.table.journal import DynamoJournalStore
from candlefish.adapters.table.records import DynamoRecords
from candlefish.adapters.table.signals import DynamoGuards, DynamoSignalLog
from candlefish.errors import Unreadable
from candlefish.release.journal import Journal
from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.model import Version
from lab.memory.events import MemoryEvents
from tests.support.service import V1, fresh, image, released
from tests.support.table import TABLE

ENV = "production"
# Not JSON, of another shape, with numbers that no float can hold, deeper than any reader goes, no body at all.
BODIES: dict[str, Mapping[str, Any]] = {
    "no JSON": {"body": {"S": "not at all"}},
    "another shape": {"body": {"S": '{"environment": 5, "at": "noon", "phase": 1, "revision": "x"}'}},
    "a list": {"body": {"S": "[]"}},
    "a number too large": {"body": {"S": '{"at": 1e999, "revision": 1e999, "requested_at": 1e999}'}},
    "too deep": {"body": {"S": '{"a":' * 5000}},
    "bytes": {"body": {"B": b"\xff\xfe"}},
    "no body": {},
}
Read = Callable[[Any], Any]
READERS: dict[str, tuple[keys.Key, Read]] = {
    "a service's record": (
        keys.RECORD.key(environment=ENV, service="website"),
        lambda client: DynamoRecords(client, TABLE, ENV).get("website"),
    ),
    "a release": (
        keys.RELEASE.key(release="r1"),
        lambda client: DynamoJournalStore(client, TABLE, ENV).read("r1"),
    ),
    "a question": (keys.APPROVAL.key(release="r1"), lambda client: DynamoApprovals(client, TABLE).read("r1")),
    "the freezes": (
        keys.FREEZES.key(environment=ENV),
        lambda client: DynamoFreezes(client, TABLE, ENV).get(),
    ),
    "the guard": (
        keys.GUARD.key(environment=ENV),
        lambda client: DynamoGuards(client, TABLE, ENV).get(),
    ),
    "a failover": (
        keys.FAILOVER.key(environment=ENV, target="database/main", epoch=keys.epoch_part(1)),
        lambda client: DynamoRuns(client, TABLE, ENV).current("database/main"),
    ),
    "a stable version": (
        keys.STABLE.key(environment=ENV, service="website"),
        lambda client: DynamoStableVersions(client, TABLE, ENV).read("website"),
    ),
    "a drill": (
        keys.DRILL.key(environment=ENV, id="d1"),
        lambda client: DynamoDrills(client, TABLE, ENV).read("d1"),
    ),
    "an audit": (
        keys.AUDIT.key(environment=ENV),
        lambda client: DynamoDrills(client, TABLE, ENV).latest(),
    ),
    "the capacity record": (
        keys.CAPACITY.key(environment=ENV),
        lambda client: DynamoCapacity(client, TABLE, ENV).get(),
    ),
}


def put(client: Any, key: keys.Key, **attributes: Any) -> None:
    client.put_item(TableName=TABLE, Item={**key, **attributes})


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_an_item_that_cannot_be_read_is_named_with_what_to_do(
    dynamodb: Any, reader: tuple[keys.Key, Read], body: Mapping[str, Any]
) -> None:
    key, read = reader
    put(dynamodb, key, status={"S": "running"}, **body)
    with pytest.raises(Unreadable, match=r"nothing was changed\. (See|Look)"):
        read(dynamodb)


CONTRADICTIONS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a slot is missing": (lambda d: d["slots"].pop("green"), "both slots"),
    "a weight is missing": (lambda d: d["desired"].pop("green"), "both slots"),
    "weights of more than all": (lambda d: d["desired"].update(green=50), "its weights are"),
    "a negative weight": (lambda d: d["desired"].update(blue=150, green=-50), "its weights are"),
    "no stable version": (lambda d: d["slots"]["green"].update(version=None), "has no version"),
    "nothing of its holder": (
        lambda d: d.update(holder={"release": "r9", "execution": "e", "until": 9.0}),
        "release r9 holds it",
    ),
    "a window without end": (lambda d: d.update(window_until=1e300), "none of ours"),
}


@pytest.mark.parametrize(("change", "why"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_record_that_contradicts_itself_is_not_acted_by(
    dynamodb: Any, change: Callable[[dict[str, Any]], Any], why: str
) -> None:
    """It has the shape of one, and nothing that we do makes it: a hand did."""
    records = DynamoRecords(dynamodb, TABLE, ENV)
    records.create(fresh())
    said = msgspec.to_builtins(released(fresh("website"), "r1", V1))
    change(said)
    put(dynamodb, keys.RECORD.key(environment=ENV, service="website"), body={"S": json.dumps(said)})
    with pytest.raises(Unreadable, match=why):
        records.get("website")
    known = records.all()
    assert [each.service for each in known] == ["backend-api"]
    assert [each.service for each in known.unreadable] == ["website"]


def test_a_status_that_this_code_does_not_know_is_named(dynamodb: Any) -> None:
    store = DynamoJournalStore(dynamodb, TABLE, ENV)
    store.open(Release("r1", ENV, "website", Version(image(1)), "me", "why", 1.0))
    dynamodb.update_item(
        TableName=TABLE,
        Key=keys.RELEASE.key(release="r1"),
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "judging_twice"}},
    )
    with pytest.raises(Unreadable, match="judging_twice"):
        store.read("r1")


def test_what_sleeps_is_named_when_it_cannot_be_unpacked(dynamodb: Any) -> None:
    for saved in (b"not zlib", zlib.compress(b"not JSON")):
        put(
            dynamodb,
            keys.CAPACITY.key(environment=ENV),
            body={"S": '{"environment": "production"}'},
            saved={"B": saved},
        )
        with pytest.raises(Unreadable, match="what sleeps"):
            DynamoCapacity(dynamodb, TABLE, ENV).get()


def test_lists_leave_out_what_cannot_be_read(dynamodb: Any) -> None:
    store = DynamoJournalStore(dynamodb, TABLE, ENV)
    for name, at in (("r1", 1.0), ("r2", 2.0)):
        store.open(Release(name, ENV, "website", Version(image(1)), "me", "why", at))
    store.append("r2", ReleaseEntry(3.0, "started", "why"))
    entry = keys.RELEASE_ENTRY.key(release="r2", time="0" * 20, n="x")
    put(dynamodb, entry, body={"S": "not at all"})
    put(dynamodb, keys.RELEASE.key(release="r1"), body={"S": "not at all"}, status={"S": "running"})
    put(dynamodb, keys.DRILL.key(environment=ENV, id="d1"), body={"S": "[]"})
    assert [each.id for each in store.recent("website")] == ["r2"]
    assert [each.kind for each in store.entries("r2")] == ["started"]
    assert DynamoDrills(dynamodb, TABLE, ENV).recent() == []
    put(dynamodb, keys.ALERT.key(environment=ENV, fingerprint="f"), body={"S": "{}"})
    assert DynamoSignalLog(dynamodb, TABLE, ENV).seen(["f"]) == {}


def test_an_entry_is_kept_of_a_release_that_cannot_be_read(dynamodb: Any) -> None:
    """A rollback writes its entry after the traffic is back; it does not end there."""
    put(dynamodb, keys.RELEASE.key(release="r1"), body={"S": "not at all"}, status={"S": "running"})
    store, bus = DynamoJournalStore(dynamodb, TABLE, ENV), MemoryEvents()
    Journal(store, bus).append("r1", ReleaseEntry(3.0, "rolling_back", "errors"))
    assert [each.kind for each in store.entries("r1")] == ["rolling_back"]
    assert bus.published == []


def test_what_can_be_had_again_is_had_again(dynamodb: Any) -> None:
    put(dynamodb, keys.BILL.key(environment=ENV), bill={"B": b"not zlib"})
    put(
        dynamodb,
        keys.CALIBRATION.key(environment=ENV, service="website", source="cloudwatch"),
        body={"S": '{"a":' * 5000},
    )
    assert DynamoBills(dynamodb, TABLE, ENV).read() is None
    assert DynamoCalibrations(dynamodb, TABLE, ENV).get("website", "cloudwatch") == {}
