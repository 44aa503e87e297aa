"""The capacity record: the same cases in memory and in DynamoDB."""

from __future__ import annotations

from typing import Any

import botocore.session
import msgspec
import pytest
from moto import mock_aws

from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.capacity.model import CapacityRecord, Nap, Note, Queued, Saved, ScheduleOverride, Sleep, Tried
from candlefish.capacity.ports import CapacityStore
from candlefish.capacity.record import save_originals, turn_goal
from candlefish.errors import InvalidInput, RecordContested, StaleGeneration
from lab.memory.capacity import MemoryCapacityStore
from tests.support.table import make_table

FULL = CapacityRecord(
    environment="staging",
    generation=3,
    goal="asleep",
    goal_at=1.5,
    phase="going_down",
    phase_at=2.5,
    reason="calendar",
    by="calendar",
    runs=2,
    execution="arn:aws:states:us-west-2:222222222222:execution:candlefish-staging-capacity:staging-3-2",
    saved=Sleep(
        3, 2.0, {"Deployment/staging/api": Saved({"spec": {"replicas": 3}}, {"spec": {"replicas": 0}}, True)}
    ),
    tried={"Deployment/staging/api": Tried(1, 3.0)},
    notes={"Database/main": Note("slow", "waited", 4.0)},
    stopped={"Database/main": 5.0},
    overrides=(ScheduleOverride("wake", 1.0, 2.0, "alice", "a demo"),),
    queue=(Queued("r-1", {"service": "api"}, 6.0),),
    naps=(Nap(1.0, 2.0),),
    guarded="2026-11",
)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "memory":
        yield MemoryCapacityStore("staging")
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = botocore.session.Session().create_client("dynamodb", region_name="us-west-2")
        make_table(client, "table")
        yield DynamoCapacity(client, "table", "staging")


def test_an_environment_that_was_never_looked_at_is_awake(store: CapacityStore) -> None:
    assert store.get() == CapacityRecord("staging")


def test_everything_comes_back_as_it_was_stored(store: CapacityStore) -> None:
    stored = store.update(lambda _: FULL)
    assert store.get() == stored == msgspec.structs.replace(FULL, revision=1)


def test_a_change_that_changes_nothing_stores_nothing(store: CapacityStore) -> None:
    before = store.update(lambda _: FULL)
    assert store.update(lambda r: r) == before
    assert store.get().revision == 1


def test_what_a_change_raises_is_raised_and_nothing_is_stored(store: CapacityStore) -> None:
    store.update(lambda _: FULL)
    with pytest.raises(StaleGeneration):
        store.update(lambda r: save_originals(r, {}, generation=2, now=9.0))
    assert store.get().revision == 1


def test_another_writer_in_between_means_looking_again(store: CapacityStore) -> None:
    store.update(lambda _: FULL)
    seen: list[int] = []

    def change(record: CapacityRecord) -> CapacityRecord:
        seen.append(record.revision)
        if len(seen) == 1:
            store.update(lambda r: turn_goal(r, "awake", reason="a demo", by="alice", now=9.0))
        return msgspec.structs.replace(record, guarded="2026-12")

    after = store.update(change)
    assert seen == [1, 2]
    assert (after.goal, after.guarded, after.revision) == ("awake", "2026-12", 3)


def test_what_is_read_is_ones_own(store: CapacityStore) -> None:
    saved = {"Deployment/staging/api": Saved({"spec": {"replicas": 3}}, {"spec": {"replicas": 0}}, True)}
    record = turn_goal(CapacityRecord("staging"), "asleep", reason="", by="", now=1.0)
    record = save_originals(record, saved, generation=1, now=2.0)
    store.update(lambda _: record)
    for mine in (record, store.get()):
        assert mine.saved is not None
        mine.saved.things["Deployment/staging/api"].original["spec"]["replicas"] = 9
    kept = store.get().saved
    assert kept is not None and kept.things["Deployment/staging/api"].original == {"spec": {"replicas": 3}}


def test_a_writer_that_always_loses_gives_up_as_contested(store: CapacityStore) -> None:
    store.update(lambda _: FULL)

    def change(record: CapacityRecord) -> CapacityRecord:
        store.update(lambda r: msgspec.structs.replace(r, by=f"{r.by}+"))
        return msgspec.structs.replace(record, guarded="2026-12")

    with pytest.raises(RecordContested):
        store.update(change)


def test_originals_of_thousands_of_workloads_fit(store: CapacityStore) -> None:
    saved = Saved({"spec": {"replicas": 3}}, {"spec": {"replicas": 0}}, True, owner="Argo CD: shop")
    things = {f"Deployment/staging/service-{number}": saved for number in range(5000)}
    record = save_originals(
        turn_goal(CapacityRecord("staging"), "asleep", reason="", by="", now=1.0),
        things,
        generation=1,
        now=2.0,
    )
    assert store.update(lambda _: record).saved == record.saved == store.get().saved


def test_a_record_that_dynamodb_would_not_take_is_refused_before_anything_is_touched(
    store: CapacityStore,
) -> None:
    queue = tuple(Queued(f"r-{number}", {"reason": "x" * 9000}, 1.0) for number in range(50))
    with pytest.raises(InvalidInput, match="nothing was changed"):
        store.update(lambda r: msgspec.structs.replace(r, queue=queue))
    assert store.get() == CapacityRecord("staging")
