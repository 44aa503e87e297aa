"""A straggler that retires a slot, and a new release that deploys into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import pytest

from candlefish.analysis.model import Arm, MetricTarget, Window
from candlefish.errors import NothingToRollBack, NotRetired, StaleGeneration, Unavailable
from candlefish.release.model import Rollout
from candlefish.release.payloads import ReleaseContext, RetireInput, Retirement, RollbackContext
from candlefish.release.workload import objects_of
from candlefish.service.record import intend_weight, promote
from lab.memory.release import MemoryBundles
from tests.support.analysis import FakeWindows
from tests.support.cluster import FakeCluster
from tests.support.release_world import CLUSTER_WRITERS_LIVE, World, roll_back
from tests.support.service import V1, V2, image, rollback, take

PREVIOUS = "backend-api-green"
# When a rollback without metrics takes a slot for drained, and how long one may take altogether is twice that.
GIVE_UP = 1000.0


class Interrupted(FakeWindows):
    """Drained, and while that is asked something happens."""

    def __init__(self, at: float, happens: Callable[[], object]) -> None:
        super().__init__([Window(at + 60 * i, at + 60 * (i + 1), Arm(100), Arm(0)) for i in range(3)])
        self._happens = happens

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        self._happens()
        return super().windows(target, since, until)


class Asked(FakeCluster):
    """When it is asked to retire something, something happens first, once."""

    def __init__(self, known: FakeCluster, happens: Callable[[], object]) -> None:
        super().__init__()
        self.objects, self.replicas = known.objects, known.replicas
        self._happens: Callable[[], object] | None = happens

    def retire(self, namespace: str, name: str, generation: int) -> bool:
        happens, self._happens = self._happens, None
        if happens:
            happens()
        return super().retire(namespace, name, generation)


class Meanwhile(FakeCluster):
    """Between applying and waking something happens, once."""

    def __init__(self, known: FakeCluster, happens: Callable[[], None]) -> None:
        super().__init__()
        self.objects, self.replicas = known.objects, known.replicas
        self._happens: Callable[[], None] | None = happens

    def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
        happens, self._happens = self._happens, None
        if happens:
            happens()
        return super().raise_to(namespace, name, replicas, generation=generation)


def promoted(world: World) -> RetireInput:
    """r2 was promoted into blue and its window is closed: what its watch asks, to retire green."""
    before = objects_of(
        world.record, "green", V1, release="r1", catalog=world.catalog, bundles=MemoryBundles()
    )
    world.cluster.apply(before, generation=world.record.generation)
    begun = world.begin("r2", image=image(3))
    world.deploy(begun)
    world.records.update(
        "backend-api", partial(intend_weight, generation=begun.generation, slot="blue", weight=100)
    )
    world.records.update(
        "backend-api", partial(promote, generation=begun.generation, now=world.clock.at, window=0)
    )
    world.rules.weights[world.record.rule] = world.record.weights_by_target_group()
    since = world.clock.at
    world.clock.forward(185)
    return RetireInput("r2", "production", "backend-api", begun.generation, "green", since)


def retire(world: World, asked: RetireInput, happens: Callable[[], object] = lambda: None) -> Retirement:
    return world.retire(asked, Interrupted(asked.since, happens))


def test_a_release_that_begins_while_a_slot_is_looked_at_finds_its_pods_there(world: World) -> None:
    asked = promoted(world)
    with pytest.raises(StaleGeneration, match="a newer release or a rollback took over"):
        retire(world, asked, lambda: world.begin("r3", image=image(4)))
    assert world.cluster.retired == [], "nothing was asked of the cluster"
    assert world.record.slots["green"].state == "candidate"


def test_the_intention_is_written_before_the_cluster_is_asked(world: World) -> None:
    asked = promoted(world)
    seen: list[bool] = []
    world.cluster = Asked(world.cluster, lambda: seen.append(world.record.slots["green"].retiring))
    assert retire(world, asked).done
    assert seen == [True]
    assert not world.record.slots["green"].retiring
    assert not world.record.slots["green"].running


def test_a_slot_that_a_new_release_deployed_meanwhile_keeps_its_pods(world: World) -> None:
    asked = promoted(world)
    world.cluster = Asked(world.cluster, lambda: world.deploy(world.begin("r3", image=image(4))))
    with pytest.raises(StaleGeneration, match=f"{PREVIOUS} .* the caller holds {asked.generation}"):
        retire(world, asked)
    assert world.cluster.replicas[PREVIOUS] > 0
    assert world.cluster.retired == []
    assert world.record.slots["green"].running
    assert "retired" not in world.journal.kinds("r2")


def test_a_rollback_that_is_decided_meanwhile_does_not_go_back_to_it(world: World) -> None:
    """It looked at the clock before the window closed, and writes after it did."""
    asked = promoted(world)
    stored = msgspec.structs.replace(world.record, window_until=world.clock.at)
    world.records.stored["backend-api"] = stored
    refused: list[str] = []

    def rolled_back() -> None:
        try:
            rollback(world.record, world.clock.at - 1)
        except NothingToRollBack as error:
            refused.append(str(error))

    world.cluster = Asked(world.cluster, rolled_back)
    assert retire(world, asked).done
    assert len(refused) == 1


def test_a_slot_that_was_applied_and_not_woken_yet_is_the_new_releases_already(world: World) -> None:
    asked = promoted(world)
    refused: list[str] = []

    def straggler() -> None:
        try:
            world.cluster.retire("candlefish", PREVIOUS, asked.generation)
        except StaleGeneration as error:
            refused.append(str(error))

    begun = world.begin("r3", image=image(4))
    world.cluster = Meanwhile(world.cluster, straggler)
    world.deploy(begun)
    assert len(refused) == 1
    assert world.cluster.replicas[PREVIOUS] > 0


def test_a_slot_that_was_acquired_and_not_deployed_goes_to_rest_and_the_deploy_wakes_it(world: World) -> None:
    asked = promoted(world)
    begun: list[ReleaseContext] = []
    world.cluster = Asked(world.cluster, lambda: begun.append(world.begin("r3", image=image(4))))
    with pytest.raises(StaleGeneration):
        retire(world, asked)
    assert world.cluster.replicas[PREVIOUS] == 0, "nothing of the new release was there yet"
    assert world.record.slots["green"].running, (
        "the slot is not written down as vacant: it is the new release's"
    )
    assert world.record.earlier_writers_at == world.clock.at
    world.deploy(begun[0])
    assert world.cluster.replicas[PREVIOUS] > 0


def test_who_died_in_the_middle_is_gone_on_from(world: World) -> None:
    asked = promoted(world)

    def dies() -> None:
        raise Unavailable("the cluster did not answer")

    world.cluster = Asked(world.cluster, dies)
    with pytest.raises(Unavailable):
        retire(world, asked)
    assert world.record.slots["green"].retiring
    again = world.retire(asked, FakeWindows(down=True))
    assert again.done, "that nothing reaches it was known before"
    assert world.cluster.replicas[PREVIOUS] == 0


def test_a_slot_that_the_rule_weights_keeps_its_pods_whatever_the_record_says(world: World) -> None:
    asked = promoted(world)
    slots = world.record.slots
    world.rules.weights[world.record.rule] = {slots["blue"].target_group: 0, slots["green"].target_group: 100}
    looked = retire(world, asked)
    assert not looked.done
    assert "still gives slot green of backend-api in production 100%" in looked.reason
    assert world.cluster.retired == []


def test_whoever_deployed_the_slot_or_came_later_may_retire_it(world: World) -> None:
    assert retire(world, promoted(world)).done
    assert world.cluster.retired == [PREVIOUS]


def rolled_back(world: World) -> RollbackContext:
    """r2 was deployed into blue and is rolled back."""
    world.runs("green")
    begun = world.begin("r2", image=image(3))
    world.deploy(begun)
    return roll_back(world)


NO_METRICS = FakeWindows(down=True)


def test_no_pod_is_taken_before_writers_of_the_release_are_dead(world: World) -> None:
    """One of them may still give the slot weight, or wake its Pods."""
    restored = rolled_back(world)
    world.clock.forward(10)
    looked = world.retire(restored, NO_METRICS)
    assert "a writer of the release may be at work for 50 s more" in looked.reason
    assert not world.record.slots["blue"].retiring
    world.clock.forward(GIVE_UP)
    assert world.retire(restored, NO_METRICS).done
    assert world.cluster.replicas["backend-api-blue"] == 0


def test_a_missing_autoscaler_of_the_stable_slot_stops_no_retirement(world: World) -> None:
    restored = rolled_back(world)
    del world.cluster.objects["HorizontalPodAutoscaler", "backend-api-green"]
    world.clock.forward(GIVE_UP)
    assert world.retire(restored, NO_METRICS).done
    assert "the autoscaler of the stable slot keeps its range" in world.journal.reason("r2", "retired")


def test_a_service_that_left_the_catalog_is_scaled_down_all_the_same(world: World) -> None:
    restored = rolled_back(world)
    services = {name: each for name, each in world.catalog.services.items() if name != "backend-api"}
    world.catalog = msgspec.structs.replace(world.catalog, services=services)
    assert not world.retire(restored, NO_METRICS).done
    world.clock.forward(GIVE_UP)
    assert world.retire(restored, NO_METRICS).done
    assert world.cluster.replicas["backend-api-blue"] == 0


def test_a_rollback_does_not_wait_for_ever_for_its_pods_to_go(world: World) -> None:
    restored = rolled_back(world)
    slots = world.record.slots
    world.rules.weights[world.record.rule] = {slots["blue"].target_group: 100, slots["green"].target_group: 0}
    world.cluster.replicas["backend-api-green"] = 0
    world.clock.forward(GIVE_UP)
    assert not world.retire(restored, NO_METRICS).done
    assert world.cluster.replicas["backend-api-green"] == 5, "the slot to go back to is woken meanwhile"
    world.clock.forward(GIVE_UP)
    with pytest.raises(NotRetired, match="the rule still gives slot blue"):
        world.retire(restored, NO_METRICS)


def in_place(world: World) -> RollbackContext:
    """V2 was deployed over V1 in place, and is rolled back."""
    world.runs("green")
    world.records.update("backend-api", partial(take, release="r2", version=V2, in_place=True))
    record = world.record
    objects = objects_of(record, "green", V2, release="r2", catalog=world.catalog, bundles=MemoryBundles())
    world.cluster.apply(objects, generation=record.generation)
    return roll_back(world)


def serving(world: World) -> str:
    running = world.cluster.running("example-prod", PREVIOUS)
    assert running
    return running.version


def test_what_comes_back_in_place_is_deployed_by_the_rollback(world: World) -> None:
    restored = in_place(world)
    assert world.record.rollback and world.record.rollback.redeploy
    assert serving(world) == "v2"
    looked = world.retire(restored, NO_METRICS)
    assert "v1 runs in place again; a writer of the release may be at work" in looked.reason
    assert serving(world) == "v1"
    notes = world.cluster.objects["Deployment", PREVIOUS]["metadata"]["annotations"]
    assert notes["candlefish.ai/generation"] == str(restored.generation)
    assert notes["candlefish.ai/release"] == world.record.slots["green"].release == "rb"


def test_a_rollback_in_place_that_another_execution_has_ended_is_done(world: World) -> None:
    """Both are of one generation. Found by `make explore SCENARIO=in-place-death`: the second one waited for ever."""
    restored = in_place(world)
    world.clock.forward(CLUSTER_WRITERS_LIVE)
    assert world.retire(restored, NO_METRICS).done
    world.finish(restored)
    assert world.retire(restored, NO_METRICS).done


def test_what_a_late_deploy_wrote_over_it_is_written_over_again(world: World) -> None:
    """The release's deploy found no object, so that nothing could refuse its late request."""
    restored = in_place(world)
    bad = world.cluster.objects["Deployment", PREVIOUS]
    world.retire(restored, NO_METRICS)
    world.cluster.objects["Deployment", PREVIOUS] = bad
    world.clock.forward(CLUSTER_WRITERS_LIVE)
    assert world.retire(restored, NO_METRICS).done
    assert serving(world) == "v1"


def test_a_late_deploy_in_place_is_refused_by_what_the_rollback_wrote(world: World) -> None:
    world.runs("green")
    world.records.update("backend-api", partial(take, release="r2", version=V2, in_place=True))
    record = world.record
    late = objects_of(record, "green", V2, release="r2", catalog=world.catalog, bundles=MemoryBundles())
    world.retire(roll_back(world), NO_METRICS)
    with pytest.raises(StaleGeneration):
        world.cluster.apply(late, generation=record.generation)
    assert serving(world) == "v1"


def test_a_version_that_never_comes_back_ends_the_rollback_and_says_so(world: World) -> None:
    restored = in_place(world)
    world.cluster.next_rollout = Rollout(status="progressing", reason="0 of 5 Pods", ready=0, desired=5)
    assert not world.retire(restored, NO_METRICS).done
    world.clock.forward(2 * GIVE_UP)
    with pytest.raises(NotRetired, match="v1 is coming back in place: 0 of 5 Pods") as refused:
        world.retire(restored, NO_METRICS)
    world.finish(restored, left=str(refused.value))
    assert world.journal.kinds("r2")[-2:] == ["not_restored", "rolled_back"]
    assert "release a version that works" in world.journal.reason("r2", "not_restored")
    assert world.record.holder is None
    remnant = world.record.remnant
    assert remnant and (remnant.kind, remnant.slot) == ("not_restored", "green")
    assert "0 of 5 Pods" in remnant.reason
    world.begin("r3", image=image(4))
