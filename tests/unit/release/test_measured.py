"""What is counted of releases: each end once, whoever tries again; DORA's four measures of what reached users."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from candlefish.errors import Unavailable, VersionKnownBad
from candlefish.measures import METRICS, Measure
from candlefish.release.journal import Journal
from candlefish.release.judging import evidence_measures
from candlefish.release.measured import REPAIRED, VERDICTS, measured_at
from candlefish.release.model import Release, ReleaseEntry, SeenEvidence, SeenWindow, ServedCounts
from candlefish.release.request import write_refusal
from candlefish.service.model import Version
from lab.memory.events import MemoryEvents
from lab.memory.meter import MemoryMeter
from lab.memory.release import MemoryJournalStore
from tests.support.release_world import World, roll_back
from tests.support.service import image

RELEASE = Release("r1", "production", "api", Version(image(1)), "ada", "faster", 1000.0, slot="blue")
of = partial(Measure, service="api")


def at(moment: float, kind: str, **evidence: object) -> ReleaseEntry:
    return ReleaseEntry(moment, kind, "why", evidence=evidence)


def shifted(moment: float, blue: int) -> ReleaseEntry:
    return at(moment, "shifted", weights={"blue": blue, "green": 100 - blue})


def taken_back(moment: float, **evidence: object) -> ReleaseEntry:
    return at(moment, "rolling_back", took_seconds=2.0, **evidence)


def names(measures: list[Measure]) -> list[str]:
    return [each.metric for each in measures]


def end(*before: ReleaseEntry) -> list[Measure]:
    return measured_at(RELEASE, "rolled_back", at(2000.0, "rolled_back"), before)


def test_lead_time_is_from_the_request_to_the_promotion() -> None:
    found = measured_at(RELEASE, "promoted", at(1600.0, "promoted"), [])
    assert found == [of("ReleasesPromoted"), of("ChangesDelivered"), of("LeadTime", 600.0)]


def test_a_canary_that_was_bad_is_a_change_that_failed() -> None:
    found = end(shifted(1100.0, 10), shifted(1200.0, 50), taken_back(1300.0, disposition="bad"))
    assert found == [
        of("ReleasesRolledBack"),
        of("ChangesDelivered"),
        of("ChangesFailed"),
        of("TimeToRestore", 202.0),
    ]


def test_what_no_user_met_is_no_change_that_was_delivered() -> None:
    assert names(end(shifted(1100.0, 0), taken_back(1300.0))) == ["ReleasesRolledBack"]
    assert names(end()) == ["ReleasesRolledBack"]


def test_what_people_turned_down_did_not_fail() -> None:
    found = end(shifted(1100.0, 10), taken_back(1300.0, disposition="rejected"))
    assert names(found) == ["ReleasesRolledBack", "ChangesDelivered"]


def test_what_was_promoted_and_taken_back_was_delivered_once() -> None:
    found = end(shifted(1100.0, 100), at(1200.0, "promoted"), taken_back(1500.0, disposition="bad"))
    assert names(found) == ["ReleasesRolledBack", "ChangesFailed", "TimeToRestore"]


def test_a_release_that_is_tried_again_is_counted_once(world: World) -> None:
    """Step Functions calls a function again whose answer it did not get; the timeline may then say it twice."""
    world.begin()
    for _ in range(3):
        world.journal.append("r2", at(world.clock(), "promoted"))
    assert world.meter.total("ReleasesPromoted") == world.meter.total("LeadTime", "backend-api") + 1 == 1
    restored = roll_back(world)
    for _ in range(2):
        world.journal.append("r2", at(world.clock(), "rolled_back"))
    world.journal.append("r2", at(world.clock(), "promoted"))
    assert restored.release == "r2"
    assert world.meter.total("ReleasesRolledBack") == 1
    assert world.meter.total("ReleasesPromoted") == 1


def test_a_rollback_says_what_is_thought_of_the_version(world: World) -> None:
    world.begin()
    roll_back(world, disposition="rejected")
    (entry,) = [each for each in world.journal.entries("r2") if each.kind == "rolling_back"]
    assert entry.evidence["disposition"] == "rejected"


def test_who_sets_the_status_at_the_same_moment_counts_nothing() -> None:
    """Both read that it runs; one write changes it."""
    meter, store = MemoryMeter(), MemoryJournalStore()
    store.open(RELEASE)
    journal = Journal(store, MemoryEvents(), meter)
    stale = store.read("r1")
    journal.append("r1", at(1600.0, "promoted"))
    late = Journal(store, MemoryEvents(), meter)
    late.find = lambda release: stale  # type: ignore[method-assign]
    late.append("r1", at(1601.0, "promoted"))
    assert meter.total("ReleasesPromoted") == 1


def test_a_release_that_is_refused_before_it_was_opened_is_counted_once() -> None:
    meter, store = MemoryMeter(), MemoryJournalStore()
    journal = Journal(store, MemoryEvents(), meter)
    for _ in range(3):
        write_refusal(RELEASE, VersionKnownBad("it was bad"), journal=journal)
    assert names(meter.measured) == ["ReleasesRefused"]


def test_nothing_fails_because_of_a_count() -> None:
    class Deaf(MemoryJournalStore):
        def entries(self, release: str) -> list[ReleaseEntry]:
            raise Unavailable("the table does not answer")

    meter, store = MemoryMeter(), Deaf()
    store.open(RELEASE)
    Journal(store, MemoryEvents(), meter).append("r1", at(2000.0, "rolled_back"))
    assert store.releases["r1"].status == "rolled_back"
    assert names(meter.measured) == ["ReleasesRolledBack"]
    assert meter.missed == ["what release r1 had reached when it was taken back: the table does not answer"]


@pytest.mark.parametrize("action", ["promote", "rollback", "ask", "experiment", "continue", "hold"])
def test_verdicts_are_counted_and_looks_are_not(action: str) -> None:
    meter, store = MemoryMeter(), MemoryJournalStore()
    store.open(RELEASE)
    Journal(store, MemoryEvents(), meter).append("r1", at(1.0, "judged", action=action))
    assert names(meter.measured) == ([VERDICTS[action]] if action in VERDICTS else [])


@pytest.mark.parametrize("kind", sorted(REPAIRED))
def test_repairs_are_counted_and_what_others_did_apart(kind: str) -> None:
    meter, store = MemoryMeter(), MemoryJournalStore()
    store.open(RELEASE)
    Journal(store, MemoryEvents(), meter).append("r1", at(1.0, kind))
    others = ["ChangedByOthers"] if kind == "drift_repaired" else []
    assert names(meter.measured) == ["Repairs", *others]


def test_evidence_is_reported_of_looks_that_had_new_windows() -> None:
    seen = SeenEvidence(1.0, "continue", "judge", 0.0, 1.0, "why", position=0.4)
    window = SeenWindow(0.0, 60.0, 10, ServedCounts(100), ServedCounts(10))
    assert evidence_measures("api", seen, [window]) == [of("Evidence", 0.4)]
    assert evidence_measures("api", seen, []) == []
    assert evidence_measures("api", msgspec.structs.replace(seen, position=None), [window]) == []


def test_every_release_metric_is_one_of_the_table() -> None:
    ends = [measured_at(RELEASE, each, at(1.0, "x"), []) for each in ("promoted", "refused", "rolled_back")]
    assert {each.metric for found in ends for each in found} <= set(METRICS)
    assert msgspec.structs.asdict(METRICS["LeadTime"])["unit"] == "Seconds"
