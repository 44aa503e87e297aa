"""The decision: every answer with its reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.capacity.assess import RETRY, SleepDrift
from candlefish.capacity.calendar import Desired
from candlefish.capacity.decide import decide_capacity, under_way
from candlefish.capacity.model import CapacityRecord, Note, Sleep
from candlefish.service.record import AllRecords, UnreadableRecord
from tests.support.service import fresh

AWAKE = CapacityRecord("staging")
ASLEEP = CapacityRecord(
    "staging", generation=1, goal="asleep", phase="asleep", runs=1, saved=Sleep(1, 0.0, {})
)
DOWN = msgspec.structs.replace(ASLEEP, phase="going_down")
UNSAVED = msgspec.structs.replace(DOWN, saved=None)
UP = msgspec.structs.replace(ASLEEP, goal="awake", phase="waking")
UNSTARTED = msgspec.structs.replace(DOWN, runs=0)
NOW = 10_000.0


def noted(why: Any, key: str, at: float) -> CapacityRecord:
    return msgspec.structs.replace(ASLEEP, notes={key: Note(why, "it would not", at)})


@pytest.mark.parametrize(
    ("record", "state", "more", "action", "says"),
    [
        (AWAKE, "awake", {}, "none", "awake, as it should be"),
        (ASLEEP, "asleep", {}, "none", "asleep, as it should be"),
        (AWAKE, "asleep", {}, "sleep", "because"),
        (ASLEEP, "awake", {}, "wake", "because"),
        (DOWN, "awake", {}, "wake", "because"),
        (UP, "asleep", {}, "sleep", "because"),
        # Releases keep an environment awake, but not one that has begun to go down.
        (AWAKE, "asleep", {"releases": ["r-1 is under way"]}, "postpone", "r-1 is under way"),
        (UNSAVED, "asleep", {"releases": ["r-1 is under way"]}, "postpone", "r-1 is under way"),
        (DOWN, "asleep", {"releases": ["r-1 is under way"]}, "go_on", "has not finished"),
        (AWAKE, "awake", {"releases": ["r-1 is under way"]}, "none", "as it should be"),
        # What is under way is left to its machine; what lost its machine gets another.
        (DOWN, "asleep", {"running": True}, "none", "going to sleep is under way"),
        (DOWN, "asleep", {}, "go_on", "going to sleep has not finished"),
        (UNSTARTED, "asleep", {}, "go_on", "was not started"),
        (UP, "awake", {"running": True}, "none", "waking is under way"),
        (UP, "awake", {}, "go_on", "waking has not finished"),
        (DOWN, "awake", {"running": True}, "wake", "because"),
        # Asleep.
        (ASLEEP, "asleep", {"drift": SleepDrift(again=("Database/main",))}, "go_on", "after seven days"),
        (noted("resisted", "Nodegroup/a", NOW - RETRY), "asleep", {}, "go_on", "Nodegroup/a"),
        (noted("resisted", "Nodegroup/a", NOW - RETRY + 1), "asleep", {}, "none", ""),
        (noted("changed", "Nodegroup/a", 0.0), "asleep", {}, "none", ""),
        (noted("resisted", "Deployment/staging/api", 0.0), "asleep", {}, "none", ""),
    ],
)
def test_what_to_do(record: CapacityRecord, state: Any, more: dict[str, Any], action: str, says: str) -> None:
    facts = {"releases": (), "running": False, "drift": None, **more}
    decision = decide_capacity(record, Desired(state, "because"), **facts, now=NOW)
    assert decision.action == action
    assert says in decision.reason
    assert decision.evidence["phase"] == record.phase


def test_a_service_whose_record_cannot_be_read_may_be_in_the_middle_of_a_release() -> None:
    known = AllRecords((fresh(),), (UnreadableRecord("website", "its record cannot be read"),))
    assert under_way(known, NOW) == ["website may be released: its record cannot be read"]
    assert under_way(AllRecords((fresh(),)), NOW) == []


@pytest.mark.parametrize(
    ("record", "action"), [(AWAKE, "none"), (ASLEEP, "none"), (DOWN, "go_on"), (UP, "go_on")]
)
@pytest.mark.parametrize("state", ["awake", "asleep"])
def test_a_freeze_begins_nothing_and_finishes_what_has_begun(
    record: CapacityRecord, action: str, state: Any
) -> None:
    desired = Desired(state, "because", frozen="frozen until noon by alice: a demo")
    decision = decide_capacity(record, desired, releases=(), running=False, drift=None, now=NOW)
    assert decision.action == action
    if action == "none":
        assert "alice" in decision.reason
