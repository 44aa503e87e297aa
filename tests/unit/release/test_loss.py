"""The record is lost or older than the world: what is seen, what may be made of it, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from candlefish.errors import (
    InvalidInput,
    NotOnboarded,
    ServiceBusy,
    Unavailable,
    UnknownService,
    WorldUnclear,
)
from candlefish.release.model import Running
from candlefish.release.rebuild_record import RebuildRequest, rebuild_record
from candlefish.release.reconstruct import ServiceSight, SlotSight, compare, reconstruct
from candlefish.release.verify_records import RecordCheck, VerifyRequest, verify_records
from candlefish.service.model import SLOTS, BadVersion, Quarantine, RecordMark, Slot, Weights, all_to, other
from candlefish.service.record import ServiceRecord, acquire
from candlefish.traffic.fittings import Fittings
from candlefish.traffic.ports import RuleTags, TargetHealth
from tests.support.cluster import FakeCluster
from tests.support.release_world import World, look_at_traffic
from tests.support.service import V1, V2, V3, fresh, image, released, take
from tests.support.traffic import FakeRules

NOW = 1_790_000_000.0
SERVICE, WHERE = "backend-api", "backend-api -e production"


def runs(number: int, *, generation: int = 4, replicas: int = 3, **more: Any) -> Running:
    """What a Deployment says of itself: version `number`."""
    return Running(image(number), f"v{number}", f"r{number}", generation, replicas, **more)


def sight(weights: Weights, generation: int = 4, **slots: SlotSight) -> ServiceSight:
    """What is seen of a service; a slot that is not named is empty."""
    record = fresh()
    nothing = SlotSight(0, None)
    return ServiceSight(
        Fittings(
            {slot: record.slots[slot].target_group for slot in SLOTS},
            record.rule,
            weights,
            RecordMark(2 * generation, generation),
            record.smoke_rule,
            record.smoke_token,
        ),
        {slot: slots.get(slot, nothing) for slot in SLOTS},
    )


def made(seen: ServiceSight, **more: Any) -> ServiceRecord:
    return reconstruct("production", SERVICE, seen, now=NOW, **more)


# --- what may be made of what is seen --------------------------------------------------------


@pytest.mark.parametrize("good", SLOTS)
def test_what_has_all_the_traffic_and_runs_is_stable(good: Slot) -> None:
    record = made(sight(all_to(good), 7, **{good: SlotSight(3, runs(2, generation=6))}))
    assert (record.stable, record.stable_version) == (good, msgspec.structs.replace(V2, label="v2"))
    assert record.desired == all_to(good)
    assert record.generation == record.desired_generation == 8, "newer than anything that is found"
    assert (record.promoted_release, record.slots[good].release) == ("r2", "r2")
    assert record.slots[other(good)].state == "empty"
    assert record.window_until <= NOW and record.holder is None and record.rollback is None


def test_what_a_deployment_says_of_a_bundle_is_kept() -> None:
    running = runs(2, bundle="s3://bundles/x.json", bundle_digest="abc")
    version = made(sight(all_to("green"), green=SlotSight(1, running))).stable_version
    assert version and (version.bundle, version.bundle_digest) == ("s3://bundles/x.json", "abc")


def test_what_still_runs_in_the_other_slot_is_the_previous_version_without_a_window() -> None:
    record = made(
        sight(all_to("blue"), blue=SlotSight(3, runs(2)), green=SlotSight(3, runs(1, generation=9)))
    )
    green = record.slots["green"]
    assert (green.state, green.running, green.release) == ("previous", True, "r1")
    assert record.generation == 10


def test_a_service_that_never_had_a_release_begins_as_any_other() -> None:
    record = made(sight(all_to("blue"), 0))
    assert record == fresh()


def test_the_first_release_goes_to_the_slot_that_gets_no_traffic() -> None:
    record = made(sight(all_to("green"), 0))
    taken = acquire(record, release="r1", execution="e", version=V1, in_place=False, now=NOW, lease=9.0)
    assert (taken.slots["blue"].state, taken.desired) == ("candidate", all_to("green"))


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (
            sight({"blue": 50, "green": 50}, blue=SlotSight(3, runs(1)), green=SlotSight(3, runs(2))),
            "both slots have traffic",
        ),
        (sight({"blue": 0, "green": 0}, blue=SlotSight(3, runs(1))), "no slot has traffic"),
        (sight(all_to("blue"), green=SlotSight(3, runs(2))), "slot blue .* has no Deployment"),
        (
            sight(all_to("blue"), blue=SlotSight(0, runs(1)), green=SlotSight(3, runs(2))),
            "slot blue .* has no healthy target and slot green has",
        ),
        (
            sight(all_to("blue"), blue=SlotSight(3, msgspec.structs.replace(runs(1), image="api:latest"))),
            "api:latest, which is no digest",
        ),
    ],
)
def test_it_is_not_guessed_and_the_command_is_named(seen: ServiceSight, why: str) -> None:
    with pytest.raises(WorldUnclear, match=why) as refusal:
        made(seen)
    assert f"candlefish records rebuild {WHERE} --stable" in str(refusal.value)


@pytest.mark.parametrize("stable", [None, "blue"])
def test_what_cannot_be_read_is_never_assumed(stable: Slot | None) -> None:
    seen = sight(all_to("blue"), blue=SlotSight(None, None, "the cluster did not answer"))
    with pytest.raises(WorldUnclear, match="the cluster did not answer"):
        made(seen, stable=stable)


def test_a_person_says_which_of_two_is_good() -> None:
    seen = sight({"blue": 10, "green": 90}, blue=SlotSight(3, runs(2)), green=SlotSight(3, runs(1)))
    for slot in SLOTS:
        record = made(seen, stable=slot)
        assert (record.stable, record.desired) == (slot, all_to(slot))
        assert record.slots[other(slot)].state == "previous", "the reconciler takes its Pods away"


def test_what_a_person_says_must_be_there() -> None:
    seen = sight({"blue": 10, "green": 90}, green=SlotSight(3, runs(1)))
    with pytest.raises(WorldUnclear, match=r"slot blue .* has no Deployment"):
        made(seen, stable="blue")


def test_what_only_the_old_record_knows_is_kept() -> None:
    bad = (BadVersion(image(9), "", "broken", 1.0),)
    before = msgspec.structs.replace(fresh(), revision=12, generation=20, bad=bad)
    record = made(sight(all_to("green"), green=SlotSight(3, runs(2))), before=before)
    assert (record.generation, record.revision, record.bad) == (21, 13, bad)


# --- comparing -------------------------------------------------------------------------------


def differing(record: ServiceRecord | None, seen: ServiceSight | None) -> list[str]:
    return [line.what for line in compare(record, seen) if not line.agrees]


def test_what_was_made_of_the_world_agrees_with_it() -> None:
    for seen in (
        sight(all_to("green"), green=SlotSight(3, runs(2))),
        sight(all_to("blue"), blue=SlotSight(3, runs(2)), green=SlotSight(3, runs(1))),
        sight(all_to("blue"), 0),
    ):
        lines = differing(made(seen), seen)
        # Nobody can serve a service that never had a release.
        assert lines == ([] if seen.generation else ["blue targets"])


def test_each_difference_has_its_line() -> None:
    seen = sight(all_to("green"), 9, green=SlotSight(0, runs(2)), blue=SlotSight(2, runs(1)))
    record = msgspec.structs.replace(released(fresh(), "r1", V3, window=0), rule="arn:another")
    assert differing(record, seen) == ["generation", "rule", "blue runs", "green runs", "green targets"]
    assert differing(None, seen) == differing(record, None) == ["record"]
    assert differing(None, None) == []


# --- with a table, a load balancer and a cluster ---------------------------------------------


class Lost(World):
    """Production: v2 is stable in blue since generation 2, green rests without Pods."""

    def __init__(self) -> None:
        record = released(released(fresh(), "r1", V1, window=0), "r2", V2, now=1.0, window=0)
        empty = msgspec.structs.replace(record.slots["green"], running=False, state="empty", version=None)
        record = msgspec.structs.replace(
            record, slots={**record.slots, "green": empty}, window_until=0.0, revision=20
        )
        super().__init__(record)
        self.rules.targets[record.slots["green"].target_group] = TargetHealth()
        self.cluster = Deployed({"backend-api-blue": runs(2, generation=2)})
        self.rules.stamp(record.rule, record.mark)
        self.live = dict(self.rules.weights)

    def restore(self) -> ServiceRecord:
        """The table is as it was an hour ago: a canary of v2 had 10%, under a release that ended since."""
        old = take(released(fresh(), "r1", V1, window=0), "r2", V2)
        old = msgspec.structs.replace(old, revision=12, desired={"blue": 10, "green": 90})
        self.records.stored[SERVICE] = old
        return old

    def look(self) -> list[str]:
        return [each.kind for each in look_at_traffic(self)]

    def verify(self, service: str = SERVICE) -> list[RecordCheck]:
        return verify_records(
            VerifyRequest(service),
            catalog=self.catalog,
            environment=self.catalog.environments["production"],
            listeners=["listener"],
            records=self.records,
            rules=self.rules,
            cluster=self.cluster,
        )

    def differs(self) -> list[str]:
        (check,) = self.verify()
        assert check.failed == ""
        return [line.what for line in check.lines if not line.agrees]

    def rebuild(self, stable: Slot | None = None) -> ServiceRecord:
        return rebuild_record(
            RebuildRequest(SERVICE, "the table was lost", stable),
            principal="arn:aws:iam::333333333333:user/platform-lead",
            catalog=self.catalog,
            environment=self.catalog.environments["production"],
            listeners=["listener"],
            records=self.records,
            rules=self.rules,
            cluster=self.cluster,
            journal=self.journal,
            events=self.journal.bus,
            now=self.clock,
        )


class Deployed(FakeCluster):
    """Deployments that say of themselves what a test says; one that is None does not answer."""

    def __init__(self, deployments: dict[str, Running | None]) -> None:
        super().__init__()
        self.deployments = deployments

    def running(self, namespace: str, name: str) -> Running | None:
        if name in self.deployments and self.deployments[name] is None:
            raise Unavailable("the cluster did not answer")
        return self.deployments.get(name)


@pytest.fixture
def lost() -> Lost:
    return Lost()


def test_a_record_that_is_well_agrees_and_is_not_made_again(lost: Lost) -> None:
    assert lost.differs() == []
    with pytest.raises(InvalidInput, match="agree"):
        lost.rebuild()


def test_an_emptied_table_is_told_made_again_and_released_by(lost: Lost) -> None:
    before = lost.record
    lost.records.stored.clear()
    assert lost.look() == ["record_missing"]
    assert lost.differs() == ["record"]
    with pytest.raises(NotOnboarded):
        lost.begin("r3", image=image(3))
    record = lost.rebuild()
    assert record.generation == before.generation + 1
    assert (record.stable, record.desired) == (before.stable, before.desired)
    assert lost.differs() == [] and lost.look() == []
    assert lost.rules.weights == lost.live and "write" not in lost.rules.calls
    assert lost.begin("r4", image=image(3)).slot == "green"


def test_a_table_an_hour_back_is_not_obeyed_until_it_is_made_again(lost: Lost) -> None:
    """`data_loss.py`, section 1."""
    newest = lost.record.generation
    lost.restore()
    lost.clock.forward(7200)
    for _ in range(3):
        assert lost.look() == ["quarantine"]
        lost.clock.forward(60)
    assert "generation" in lost.differs()
    record = lost.rebuild()
    assert record.quarantine is None and record.generation == newest + 1
    assert lost.look() == [] and lost.differs() == []
    assert lost.rules.weights == lost.live and "write" not in lost.rules.calls
    assert lost.executions.started == []
    assert lost.rules.marks[record.rule] == lost.record.mark


def test_a_rebuild_is_written_down_and_told_with_who_asked(lost: Lost) -> None:
    lost.restore()
    lost.look()
    lost.rebuild()
    assert lost.journal.kinds("r2") == ["record_rebuilt"]
    (told,) = [detail for kind, detail in lost.journal.bus.published if kind == "record.rebuilt"]
    assert told["by"] == "platform-lead" and "the table was lost" in told["reason"]


def test_what_the_lost_record_believed_to_be_under_way_has_ended(lost: Lost) -> None:
    lost.begin("r3", image=image(3))
    record = lost.record
    lost.rules.stamp(record.rule, RecordMark(record.revision + 5, record.generation + 1))
    assert lost.look() == ["quarantine"]
    lost.rebuild()
    assert lost.journal.read("r3").status == "rolled_back"
    assert "was lost" in lost.journal.entries("r3")[-1].reason


def test_a_release_that_runs_was_promoted_whatever_was_restored(lost: Lost) -> None:
    lost.begin("r3", image=image(3))
    lost.cluster.deployments = {"backend-api-green": runs(3, generation=3)}
    groups = {slot: lost.record.slots[slot].target_group for slot in SLOTS}
    lost.rules.weights[lost.record.rule] = {groups["blue"]: 0, groups["green"]: 100}
    lost.rules.targets[groups["green"]] = TargetHealth(healthy=3)
    lost.rules.stamp(lost.record.rule, RecordMark(lost.record.revision + 5, lost.record.generation))
    lost.look()
    assert lost.rebuild().promoted_release == "r3"
    assert lost.journal.read("r3").status == "promoted"


def test_half_and_half_waits_for_a_word_and_the_reconciler_follows_it(lost: Lost) -> None:
    slots = lost.record.slots
    lost.records.stored.clear()
    rule = fresh().rule
    lost.rules.weights[rule] = {group.target_group: 50 for group in slots.values()}
    lost.cluster.deployments["backend-api-green"] = runs(3, generation=3)
    lost.rules.targets[slots["green"].target_group] = TargetHealth(healthy=3)
    with pytest.raises(WorldUnclear, match="both slots have traffic"):
        lost.rebuild()
    lost.rebuild("blue")
    assert set(lost.rules.weights[rule].values()) == {50}, "the world is not touched by it"
    assert lost.look() == ["shift_completed", "resume_watch"]
    assert lost.rules.weights[rule] == lost.record.weights_by_target_group()


def test_a_record_that_is_held_and_obeyed_is_not_made_again(lost: Lost) -> None:
    lost.begin("r3", image=image(3))
    with pytest.raises(ServiceBusy, match="held by r3"):
        lost.rebuild()


def test_a_cluster_that_does_not_answer_is_seen_as_such(lost: Lost) -> None:
    lost.cluster.deployments["backend-api-blue"] = None
    assert lost.differs() == ["blue runs"]
    lost.records.stored.clear()
    with pytest.raises(WorldUnclear, match="the cluster did not answer"):
        lost.rebuild()
    assert lost.records.stored == {}


def test_without_a_rule_there_is_nothing_to_make_it_of(lost: Lost) -> None:
    lost.records.stored.clear()
    lost.rules.weights.clear()
    with pytest.raises(NotOnboarded, match="candlefish onboard backend-api -e production"):
        lost.rebuild()


def test_every_service_of_the_catalog_is_compared_and_one_that_cannot_be_is_named(lost: Lost) -> None:
    lost.records.unreadable["website"] = "its schema is newer"
    checks = {check.service: check for check in lost.verify("")}
    assert set(checks) == set(lost.catalog.services)
    assert "its schema is newer" in checks["website"].failed
    assert all(line.agrees for line in checks[SERVICE].lines)
    with pytest.raises(UnknownService):
        lost.verify("nobody")


def test_a_quarantine_that_somebody_else_found_is_ended_as_well(lost: Lost) -> None:
    why = Quarantine("a Deployment was written by generation 9", 1.0)
    lost.records.stored[SERVICE] = msgspec.structs.replace(lost.record, quarantine=why)
    lost.cluster.deployments["backend-api-blue"] = runs(2, generation=9)
    assert lost.differs() == ["generation"]
    assert lost.rebuild().generation == 10


def test_a_rule_without_its_tag_is_not_ours(lost: Lost) -> None:
    class Untagged(FakeRules):
        def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
            return {}

    lost.rules = Untagged(lost.record)
    assert lost.differs() == ["record"]
