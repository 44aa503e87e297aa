"""A drill restores, reads, measures and deletes, however often it is killed; it never touches what is live."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.backups.decide import left_over
from candlefish.backups.evidence import data_age, restore_time
from candlefish.backups.model import DrillStepInput, ScratchInstance
from candlefish.backups.record import Drill
from candlefish.backups.step_drill import begin_drill, require_scratch
from candlefish.errors import (
    BackupUnusable,
    FailoverRefused,
    InvalidInput,
    NotAllowed,
    Unavailable,
    UnknownService,
)
from tests.support.drills import DATABASE, Region


def test_a_good_backup_passes_and_leaves_nothing() -> None:
    region = Region()
    region.begin()
    drill = region.play()
    assert (drill.outcome, drill.evidence["rows"]) == ("passed", 70)
    assert set(region.instances) == {"orders"}
    # 400 s to restore, 30 s for the password, and up to a poll for each look.
    assert 430 <= restore_time(drill) <= 520
    assert data_age(drill) == 240
    assert drill.ended_at > 0


@pytest.mark.parametrize("status", ["storage-initialization", "storage-optimization"])
def test_a_restored_instance_is_read_while_rds_still_loads_its_storage(status: str) -> None:
    region = Region()
    region.restored_as = status
    region.begin()
    drill = region.play()
    assert drill.outcome == "passed"
    assert restore_time(drill) <= 520


def test_a_word_that_nobody_knows_is_waited_for_as_long_as_a_drill_may_take() -> None:
    region = Region()
    region.restored_as = "rearranging-electrons"
    region.begin()
    drill = region.play()
    assert (drill.outcome, drill.why) == ("failed", "it took longer than 4 hours")


def test_asking_for_the_same_drill_again_is_asking_once() -> None:
    region = Region()
    first = region.begin()
    region.clock.forward(100)
    region.take("orders")
    assert region.begin() == first


def failing(error: Exception) -> Any:
    def find() -> dict[str, Any]:
        raise error

    return find


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda r: setattr(r, "restored_as", "incompatible-restore"),
            "the restored instance is incompatible-restore",
        ),
        (
            lambda r: setattr(r, "finding", failing(BackupUnusable("invalid page in block 3"))),
            "invalid page in block 3",
        ),
        (lambda r: setattr(r, "finding", failing(NotAllowed("wrong password"))), "wrong password"),
        (
            lambda r: setattr(r, "finding", failing(Unavailable("no answer"))),
            "it could not be read: no answer",
        ),
        (lambda r: setattr(r, "restored_as", "creating"), "longer than 4 hours"),
    ],
)
def test_a_bad_backup_fails_with_the_reason_and_leaves_nothing_that_can_be_deleted(
    spoil: Any, words: str
) -> None:
    region = Region()
    spoil(region)
    region.begin()
    if region.restored_as == "creating":
        # An instance that never comes up cannot be deleted either: that is the sweep's to see.
        with pytest.raises(AssertionError):
            region.play()
        drill = region.drills.stored["q4"]
    else:
        drill = region.play()
        assert set(region.instances) == {"orders"}
    assert drill.outcome == "failed"
    assert words in drill.why


@settings(max_examples=60)
@given(kills=st.sets(st.integers(1, 200), max_size=25))
def test_killed_anywhere_it_comes_to_the_same_end(kills: set[int]) -> None:
    region = Region()
    region.begin()
    region.kill_at = kills
    drill = region.play()
    assert drill.outcome == "passed"
    assert set(region.instances) == {"orders"}


def test_killed_at_any_single_call_it_comes_to_the_same_end() -> None:
    whole = Region()
    whole.begin()
    whole.play()
    for call in range(1, whole.calls + 1):
        region = Region()
        region.begin()
        region.kill_at = {call}
        assert region.play().outcome == "passed"
        assert set(region.instances) == {"orders"}, f"killed at call {call}"


def test_an_instance_of_that_name_that_is_not_ours_is_not_touched() -> None:
    region = Region()
    drill = region.begin()
    stranger = ScratchInstance(drill.scratch, "available", "somebody-else")
    region.instances[drill.scratch] = stranger
    assert region.play().outcome == "failed"
    assert region.instances[drill.scratch] == stranger


def test_the_name_of_a_live_instance_is_refused() -> None:
    with pytest.raises(FailoverRefused, match="is not the name of a scratch instance"):
        require_scratch("orders", Region().environment)


@pytest.mark.parametrize(
    ("change", "database", "error", "words"),
    [
        ({}, "other", UnknownService, "declares no database 'other'; it has main"),
        ({"scratch": None}, "main", InvalidInput, "names no scratch place"),
    ],
)
def test_refuses_before_anything_is_made(change: Any, database: str, error: Any, words: str) -> None:
    region = Region()
    changed = msgspec.structs.replace(DATABASE, **change)
    region.environment = msgspec.structs.replace(region.environment, databases=(changed,))
    with pytest.raises(error, match=words):
        begin_drill(DrillStepInput("begin", "x", database), ports=region.ports())
    assert region.drills.stored == {}


def test_refuses_a_database_without_a_snapshot() -> None:
    region = Region()
    region.snapshots["orders"] = []
    with pytest.raises(BackupUnusable, match="orders has no snapshot to restore"):
        region.begin()


def test_what_crashed_drills_left_is_found_and_nothing_else() -> None:
    def scratch(
        name: str, drill: str, *, status: str = "available", of: str = "staging", at: float = 0
    ) -> None:
        instances.append(ScratchInstance(name, status, drill, of, created_at=at))

    instances: list[ScratchInstance] = []
    scratch("candlefish-drill-staging-main-old", "old")
    scratch("candlefish-drill-staging-main-running", "running")
    scratch("candlefish-drill-staging-main-new", "new", at=990)
    scratch("candlefish-drill-staging-main-going", "going", status="deleting")
    scratch("candlefish-drill-by-hand", "")
    scratch("orders", "old")
    # Under way, in an environment of the same account and region whose drills are not ours to know.
    scratch("candlefish-drill-staging-eu-main", "theirs", of="staging-eu")
    found = left_over(instances, "staging", {"running"}, 1_000.0)
    assert [s.drill for s in found] == ["old"]


def test_a_drill_is_a_value() -> None:
    drill = Region().begin()
    assert msgspec.json.decode(msgspec.json.encode(drill), type=Drill) == drill
