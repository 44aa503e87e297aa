"""What runs is compared with every record; what differs is put right, and what cannot be told is left alone."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from candlefish.catalog.model import ServiceOverride
from candlefish.errors import ClusterRefused, Unavailable
from candlefish.release.configuration import configured
from candlefish.release.model import Release, Rollout, Running
from candlefish.release.reconcile_cluster import (
    ClusterFacts,
    ClusterRepair,
    needed_cluster_repairs,
    reconcile_cluster,
)
from candlefish.service.model import Hold, Remnant, Slot
from candlefish.service.record import ServiceRecord, add_hold, end_rollback, vacate_slot
from lab.memory.events import MemoryEvents
from lab.memory.release import MemoryBundles
from tests.support.release_world import CLUSTER_WRITERS_LIVE, World, roll_back
from tests.support.service import V1, V2, fresh, image, released, rollback, take

NAMESPACE = "example-prod"
STABLE, IDLE = "backend-api-green", "backend-api-blue"


@pytest.fixture
def bus() -> MemoryEvents:
    return MemoryEvents()


@pytest.fixture
def afternoon(world: World) -> World:
    """V1 serves from the green slot, nothing happens."""
    world.runs("green")
    world.rules.weights[world.record.rule] = world.record.weights_by_target_group()
    return world


def look(
    world: World, bus: MemoryEvents, off: str = "", asleep: str = "", dry_run: bool = False
) -> list[ClusterRepair]:
    world.switchboard.tag = off
    return reconcile_cluster(
        environment="production",
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        rules=world.rules,
        switchboard=world.switchboard,
        asleep=lambda: asleep,
        journal=world.journal,
        events=bus,
        cluster_writers_live=CLUSTER_WRITERS_LIVE,
        now=world.clock,
        dry_run=dry_run,
    )


def kinds(found: list[ClusterRepair]) -> list[tuple[str, Slot | None]]:
    return [(each.kind, each.slot) for each in found]


def template(world: World) -> object:
    return world.cluster.objects["Deployment", STABLE]["spec"]["template"]


def test_what_runs_as_recorded_is_left_alone(afternoon: World, bus: MemoryEvents) -> None:
    before = dict(afternoon.cluster.objects)
    assert look(afternoon, bus) == []
    assert afternoon.cluster.objects == before


def test_an_autoscaler_that_was_deleted_comes_back_and_no_pod_is_replaced(
    afternoon: World, bus: MemoryEvents
) -> None:
    before = template(afternoon)
    del afternoon.cluster.objects["HorizontalPodAutoscaler", STABLE]
    (repair,) = look(afternoon, bus)
    assert repair.reason == "slot green: its autoscaler is missing"
    assert ("HorizontalPodAutoscaler", STABLE) in afternoon.cluster.objects
    assert template(afternoon) == before, "the same release's label: the same Pods"
    assert look(afternoon, bus) == []
    entry = afternoon.journal.entries("r1")[-1]
    assert (entry.kind, entry.by) == ("cluster_repaired", "reconciler")
    assert any("HorizontalPodAutoscaler" in line for line in entry.evidence["changed"])


def test_what_a_writer_of_ours_may_have_done_is_put_back_and_told_to_nobody(
    afternoon: World, bus: MemoryEvents
) -> None:
    """Whoever wrote to the cluster for the last release may still be at it; once it is dead, it was somebody else."""
    begun = afternoon.clock()
    afternoon.journal.open(
        Release("r1", "production", "backend-api", V1, "ada", "faster", begun, slot="green")
    )
    afternoon.records.update("backend-api", lambda r: msgspec.structs.replace(r, earlier_writers_at=begun))
    news = afternoon.journal.bus.published
    for forward, kind in ((CLUSTER_WRITERS_LIVE - 1, "cluster_completed"), (1, "cluster_repaired")):
        afternoon.clock.forward(forward)
        before = len(news)
        del afternoon.cluster.objects["HorizontalPodAutoscaler", STABLE]
        assert kinds(look(afternoon, bus)) == [("apply", "green")]
        assert afternoon.journal.kinds("r1")[-1] == kind
        told = [each for each, _ in news[before:]]
        assert told == (["release.cluster_repaired"] if kind == "cluster_repaired" else [])


def test_an_image_that_was_set_by_hand_is_put_back(afternoon: World, bus: MemoryEvents) -> None:
    ours = afternoon.cluster.objects["Deployment", STABLE]
    before = template(afternoon)
    other = msgspec.json.decode(msgspec.json.encode(ours))
    other["spec"]["template"]["spec"]["containers"][0]["image"] = image(9)
    afternoon.cluster.objects["Deployment", STABLE] = other
    (repair,) = look(afternoon, bus)
    assert repair.reason == f"slot green: it runs {image(9)} instead of {image(1)} (v1)"
    assert template(afternoon) == before


def test_a_record_that_what_runs_is_newer_than_is_put_into_quarantine(
    afternoon: World, bus: MemoryEvents
) -> None:
    """Where the tags of the rule say nothing: somebody took them away."""
    before = dict(afternoon.cluster.objects)
    afternoon.records.stored["backend-api"] = msgspec.structs.replace(afternoon.record, generation=0)
    assert kinds(look(afternoon, bus)) == [("quarantine", "green")]
    assert (
        afternoon.record.quarantine and "its slot green was written at" in afternoon.record.quarantine.reason
    )
    assert afternoon.cluster.objects == before
    assert "cluster_repaired" not in afternoon.journal.kinds("r1")
    assert look(afternoon, bus) == [], "from here on nobody acts by it"


def test_a_deployment_that_was_deleted_is_applied_and_woken(afternoon: World, bus: MemoryEvents) -> None:
    del afternoon.cluster.objects["Deployment", STABLE]
    del afternoon.cluster.replicas[STABLE]
    assert kinds(look(afternoon, bus)) == [("apply", "green")]
    assert afternoon.cluster.replicas[STABLE] == 5


def test_a_stable_slot_that_was_scaled_down_by_hand_is_raised(afternoon: World, bus: MemoryEvents) -> None:
    afternoon.cluster.replicas[STABLE] = 0
    assert kinds(look(afternoon, bus)) == [("raise", "green")]
    assert afternoon.cluster.replicas[STABLE] == 5


def test_a_slot_below_what_the_catalog_asks_for_by_now_gets_the_range_too(
    afternoon: World, bus: MemoryEvents
) -> None:
    """With the old range its autoscaler would take away what was raised, and it would be raised every five minutes."""
    afternoon.cluster.replicas[STABLE] = 3
    afternoon.cluster.bounds[STABLE] = (3, 25)
    assert kinds(look(afternoon, bus)) == [("raise", "green")]
    assert afternoon.cluster.bounds[STABLE] == (5, 25)
    assert afternoon.cluster.replicas[STABLE] == 5


def test_pods_of_a_slot_that_has_none_on_record_are_taken_away(afternoon: World, bus: MemoryEvents) -> None:
    """A deploy of a release that is long gone arrived after its slot was retired."""
    begun = afternoon.begin("r2", image=image(3))
    afternoon.deploy(begun)
    restored = roll_back(afternoon)
    afternoon.records.update(
        "backend-api",
        partial(vacate_slot, generation=restored.generation, slot="blue", now=afternoon.clock()),
    )
    afternoon.records.update(
        "backend-api", partial(end_rollback, generation=restored.generation, now=afternoon.clock())
    )
    assert look(afternoon, bus) == [], "requests may still be on their way there"
    afternoon.clock.forward(afternoon.catalog.strategies["canary"].drain_within)
    assert kinds(look(afternoon, bus)) == [("retire", "blue")]
    assert afternoon.cluster.replicas[IDLE] == 0
    assert look(afternoon, bus) == []


def test_what_a_rollback_left_is_retired_later_and_the_slot_is_vacant(
    afternoon: World, bus: MemoryEvents
) -> None:
    begun = afternoon.begin("r2", image=image(3))
    afternoon.deploy(begun)
    afternoon.finish(roll_back(afternoon), left="Deployment backend-api-blue: forbidden")
    assert afternoon.record.slots["blue"].retiring
    afternoon.clock.forward(afternoon.catalog.strategies["canary"].drain_within)
    afternoon.cluster.bounds[STABLE] = (9, 25)
    assert kinds(look(afternoon, bus)) == [("retire", "blue")]
    assert afternoon.cluster.bounds[STABLE] == (5, 25), "it was kept from scaling in while the release ran"
    assert (afternoon.record.slots["blue"].running, afternoon.record.slots["blue"].retiring) == (False, False)
    assert afternoon.journal.kinds("r2")[-1] == "cluster_repaired", (
        "its own release tells the end of the story"
    )


def test_a_slot_that_the_rule_weights_is_not_scaled_down(afternoon: World, bus: MemoryEvents) -> None:
    """A rollback that found no healthy target to go back to left the traffic where targets are."""
    afternoon.cluster.replicas[IDLE] = 5
    slots = afternoon.record.slots
    rule = afternoon.record.rule
    deployed = msgspec.json.decode(msgspec.json.encode(afternoon.cluster.objects["Deployment", STABLE]))
    afternoon.cluster.objects["Deployment", IDLE] = deployed
    afternoon.rules.weights[rule] = {slots["blue"].target_group: 100, slots["green"].target_group: 0}
    assert look(afternoon, bus) == []
    afternoon.rules.weights[rule] = {slots["blue"].target_group: 0, slots["green"].target_group: 100}
    assert kinds(look(afternoon, bus)) == [("retire", "blue")]


def test_asleep_or_switched_off_nothing_is_touched(afternoon: World, bus: MemoryEvents) -> None:
    afternoon.cluster.replicas[STABLE] = 0
    assert look(afternoon, bus, asleep="staging is asleep") == []
    assert kinds(look(afternoon, bus, off="off")) == [("raise", "green")], "what it would do"
    assert afternoon.cluster.replicas[STABLE] == 0


def test_a_dry_run_says_what_would_be_put_right(afternoon: World, bus: MemoryEvents) -> None:
    afternoon.cluster.replicas[STABLE] = 0
    assert kinds(look(afternoon, bus, dry_run=True)) == [("raise", "green")]
    assert afternoon.cluster.replicas[STABLE] == 0


def test_what_is_refused_is_told_once_an_hour_and_stops_nobody_else(
    afternoon: World, bus: MemoryEvents
) -> None:
    """The first service's repair is forbidden; the second one's is made."""
    second = released(fresh("website"), "w1", V1, window=0)
    afternoon.records.stored["website"] = second
    afternoon.rules.weights[second.rule] = second.weights_by_target_group()
    afternoon.cluster.replicas[STABLE] = 0
    raise_to = afternoon.cluster.raise_to

    def refuse(namespace: str, name: str, replicas: int, *, generation: int) -> int:
        if name == STABLE:
            raise ClusterRefused(f"Deployment {name} in {namespace}: forbidden")
        return raise_to(namespace, name, replicas, generation=generation)

    afternoon.cluster.raise_to = refuse  # type: ignore[method-assign]
    assert kinds(look(afternoon, bus)) == [("cannot_tell", None), ("apply", "green")]
    assert ("Deployment", "website-green") in afternoon.cluster.objects
    (first,) = bus.published
    assert (first[0], first[1]["name"]) == ("finding", "cluster-differs")
    assert "forbidden" in first[1]["summary"]
    look(afternoon, bus)
    afternoon.clock.forward(3600)
    look(afternoon, bus)
    assert len({detail["started_at"] for _, detail in bus.published}) == 2, (
        "the guard tells each finding once"
    )


def test_what_cannot_be_read_is_never_acted_upon(afternoon: World, bus: MemoryEvents) -> None:
    """A slot with Pods that the record knows nothing of: whether users are there says the load balancer alone."""
    afternoon.runs("green")
    afternoon.cluster.objects["Deployment", IDLE] = afternoon.cluster.objects["Deployment", STABLE]
    afternoon.cluster.replicas[IDLE] = 3

    def unreadable(rule: str) -> dict[str, int]:
        raise Unavailable("the load balancer did not answer")

    afternoon.rules.read = unreadable  # type: ignore[method-assign]
    (found,) = look(afternoon, bus)
    assert found.kind == "cannot_tell"
    assert afternoon.cluster.replicas[IDLE] == 3
    assert bus.published == [], "the next look may well read it"


def test_the_load_balancer_is_not_asked_about_services_at_rest(afternoon: World, bus: MemoryEvents) -> None:
    assert look(afternoon, bus) == []
    afternoon.cluster.replicas[STABLE] = 0
    assert kinds(look(afternoon, bus)) == [("raise", "green")], "what serves is needed whatever its weight"
    assert afternoon.rules.calls == []


def test_whoever_takes_the_service_meanwhile_has_the_last_word(afternoon: World, bus: MemoryEvents) -> None:
    afternoon.cluster.replicas[STABLE] = 0
    running = afternoon.cluster.running

    def meanwhile(namespace: str, name: str) -> Running | None:
        afternoon.cluster.running = running  # type: ignore[method-assign]
        afternoon.begin("r2", image=image(3))
        return running(namespace, name)

    afternoon.cluster.running = meanwhile  # type: ignore[method-assign]
    assert look(afternoon, bus) == []
    assert afternoon.cluster.replicas[STABLE] == 0


# --- the decision ------------------------------------------------------------------------------


def running(digit: int = 1, **more: object) -> Running:
    fields = {"image": image(digit), "version": f"v{digit}", "release": "r1", "generation": 1, "replicas": 5}
    return Running(**{**fields, **more})  # type: ignore[arg-type]


def needed(record: ServiceRecord, now: float = 1e6, **seen: Running | None) -> list[ClusterRepair]:
    facts = ClusterFacts(
        {"blue": seen.get("blue"), "green": seen.get("green")}, record.weights_by_target_group()
    )
    return needed_cluster_repairs(record, facts, minimum={"blue": 5, "green": 5}, drain_within=600, now=now)


LIVE = released(fresh(), "r1", V1, window=0)


def test_a_predecessor_is_kept_whole_for_as_long_as_a_rollback_may_go_back_to_it() -> None:
    record = released(LIVE, "r2", V2, now=100, window=60)
    there = running(2, generation=2)
    assert kinds(needed(record, 130, blue=there, green=running(replicas=0))) == [("raise", "green")]
    assert kinds(needed(record, 130, blue=there, green=None)) == [("apply", "green")]
    assert needed(record, 160, blue=there, green=running(replicas=0)) == [], "its watch retires it now"


@pytest.mark.parametrize(
    "record",
    [
        take(LIVE, "r2", V2),
        rollback(take(LIVE, "r2", V2)),
        fresh(),
    ],
    ids=["held", "being rolled back", "nothing was released"],
)
def test_what_somebody_has_is_left_to_them(record: ServiceRecord) -> None:
    assert needed(record, blue=running(9, replicas=3), green=None) == []


def test_what_is_left_of_a_first_release_is_retired_too() -> None:
    record = rollback(take(fresh(), "r1", V1))
    record = end_rollback(record, generation=record.generation, now=50)
    assert kinds(needed(record, green=running(generation=1))) == [("retire", "green")]


def test_a_hold_is_no_holder() -> None:
    record = add_hold(LIVE, Hold("alarm", "p95", 0.0, "signal"))
    assert kinds(needed(record, green=running(replicas=0))) == [("raise", "green")]


def test_a_record_that_is_older_than_the_cluster_is_not_obeyed() -> None:
    (found,) = needed(LIVE, green=running(9, generation=7))
    assert found.kind == "quarantine"
    assert "written by generation 7, the record is at 1" in found.reason


def test_another_bundle_of_the_same_image_is_another_version() -> None:
    version = msgspec.structs.replace(V1, bundle="s3://bundles/1", bundle_digest="sha256:1")
    record = released(fresh(), "r1", version, window=0)
    assert kinds(needed(record, green=running(bundle_digest="sha256:2"))) == [("apply", "green")]
    assert needed(record, green=running(bundle_digest="sha256:1")) == []
    assert needed(record, green=running()) == [], "a Deployment of before bundles were noted"


@pytest.mark.parametrize("status", ["progressing", "ready"])
def test_a_version_that_did_not_come_back_is_known_until_it_was_seen_to_run(
    afternoon: World, bus: MemoryEvents, status: str
) -> None:
    remnant = Remnant("not_restored", "green", "0 of 5 Pods", 5.0)
    afternoon.records.update("backend-api", lambda r: msgspec.structs.replace(r, remnant=remnant))
    afternoon.cluster.next_rollout = Rollout(status=status, reason="", ready=0, desired=5)  # type: ignore[arg-type]
    assert look(afternoon, bus) == []
    assert afternoon.record.remnant == (None if status == "ready" else remnant)


# --- configurations --------------------------------------------------------------------------


def with_memory(world: World, limit: str) -> None:
    """The stack is deployed with another memory limit in its catalog."""
    known = world.catalog
    override = known.environments["production"].overrides.get("backend-api", ServiceOverride())
    need = override.resources or known.services["backend-api"].resources
    changed = msgspec.structs.replace(override, resources=msgspec.structs.replace(need, memory_limit=limit))
    production = msgspec.structs.replace(
        known.environments["production"],
        overrides={**known.environments["production"].overrides, "backend-api": changed},
    )
    world.catalog = msgspec.structs.replace(
        known, environments={**known.environments, "production": production}
    )


def limit(world: World) -> str:
    containers = world.cluster.objects["Deployment", STABLE]["spec"]["template"]["spec"]["containers"]
    found: str = containers[0]["resources"]["limits"]["memory"]
    return found


def test_a_version_of_older_code_gets_the_configuration_of_the_day_and_keeps_it(
    afternoon: World, bus: MemoryEvents
) -> None:
    """A record of before has none: it was rendered from the catalog, and goes on so, from now on whatever it says."""
    with_memory(afternoon, "640Mi")
    del afternoon.cluster.objects["HorizontalPodAutoscaler", STABLE]
    look(afternoon, bus)
    version = afternoon.record.stable_version
    assert version and '"memory_limit":"640Mi"' in version.configuration
    with_memory(afternoon, "1Gi")
    del afternoon.cluster.objects["HorizontalPodAutoscaler", STABLE]
    assert kinds(look(afternoon, bus)) == [("apply", "green")]
    assert limit(afternoon) == "640Mi"
    assert afternoon.record.stable_version == version
    assert look(afternoon, bus) == []


def test_a_configuration_that_is_too_large_to_be_written_down_is_repaired_as_ever(
    afternoon: World, bus: MemoryEvents
) -> None:
    """It ran before there was a bound: a release is refused, and what runs is not left alone for it."""
    services = dict(afternoon.catalog.services)
    env = {f"VARIABLE_{n}": "x" * 500 for n in range(60)}
    services["backend-api"] = msgspec.structs.replace(services["backend-api"], env=env)
    afternoon.catalog = msgspec.structs.replace(afternoon.catalog, services=services)
    before = afternoon.record
    del afternoon.cluster.objects["HorizontalPodAutoscaler", STABLE]
    assert kinds(look(afternoon, bus)) == [("apply", "green")]
    assert ("HorizontalPodAutoscaler", STABLE) in afternoon.cluster.objects
    assert afternoon.record == before


def test_a_dry_look_writes_no_configuration_down(afternoon: World, bus: MemoryEvents) -> None:
    before = afternoon.record
    look(afternoon, bus, dry_run=True)
    assert afternoon.record == before


def test_a_service_that_somebody_has_gets_none(afternoon: World, bus: MemoryEvents) -> None:
    afternoon.begin("r2")
    before = afternoon.record
    look(afternoon, bus)
    assert afternoon.record == before
    assert before.slots["green"].version == V1


def test_another_configuration_than_the_records_is_drift(afternoon: World, bus: MemoryEvents) -> None:
    look(afternoon, bus)
    kept = afternoon.record
    with_memory(afternoon, "640Mi")
    slots = dict(kept.slots)
    slots["green"] = msgspec.structs.replace(
        slots["green"], version=configured(V1, "backend-api", "production", afternoon.catalog)
    )
    late = msgspec.structs.replace(kept, slots=slots)
    afternoon.records.stored["backend-api"] = late
    afternoon.runs("green")
    afternoon.records.stored["backend-api"] = msgspec.structs.replace(
        late,
        slots={
            **slots,
            "green": msgspec.structs.replace(slots["green"], version=kept.stable_version),
        },
    )
    (repair,) = look(afternoon, bus)
    assert repair.reason == "slot green: it runs v1 with another configuration"
    assert limit(afternoon) != "640Mi"


@pytest.mark.parametrize("text", ['{"service":{"sings":true},"environment":{},"ready_within":600.0}', "{"])
def test_a_bad_version_whose_configuration_cannot_be_read_keeps_nobody_from_the_stable_one(
    afternoon: World, bus: MemoryEvents, text: str
) -> None:
    """A newer stack released it, and was taken back with it: its name stays in the slot."""
    look(afternoon, bus)
    kept = afternoon.record
    newer = msgspec.structs.replace(V2, configuration=text)
    slots = {**kept.slots, "blue": msgspec.structs.replace(kept.slots["blue"], state="bad", version=newer)}
    afternoon.records.stored["backend-api"] = msgspec.structs.replace(kept, slots=slots)
    afternoon.cluster.replicas[STABLE] = 0
    assert kinds(look(afternoon, bus)) == [("raise", "green")]
    assert afternoon.cluster.replicas[STABLE] == 5
