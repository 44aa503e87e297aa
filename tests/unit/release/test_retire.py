"""A straggler that retires a slot, and a new release that deploys into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from candlefish.analysis.model import Arm, MetricTarget, Window
from candlefish.errors import StaleGeneration
from candlefish.release.deploy_slot import deploy_slot
from candlefish.release.payloads import ReleaseContext, RetireInput, Retirement
from candlefish.release.retire_slot import retire_slot
from candlefish.release.workload import objects_of
from candlefish.service.record import intend_weight, promote
from lab.memory.release import MemoryBundles
from tests.support.analysis import FakeWindows
from tests.support.cluster import FakeCluster
from tests.support.release_world import World, roll_back
from tests.support.service import V1, V2, image, take

PREVIOUS = "backend-api-green"


class Interrupted(FakeWindows):
    """Drained, and while that is asked something happens."""

    def __init__(self, at: float, happens: Callable[[], None]) -> None:
        super().__init__([Window(at + 60 * i, at + 60 * (i + 1), Arm(100), Arm(0)) for i in range(3)])
        self._happens = happens

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        self._happens()
        return super().windows(target, since, until)


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


def deploy(world: World, begun: ReleaseContext) -> None:
    deploy_slot(
        world.step(begun, "deploy"),
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        rules=world.rules,
        journal=world.journal,
        now=world.clock,
    )


def promoted(world: World) -> RetireInput:
    """r2 was promoted into blue and its window is closed: what its watch asks, to retire green."""
    before = objects_of(
        world.record, "green", V1, release="r1", catalog=world.catalog, bundles=MemoryBundles()
    )
    world.cluster.apply(before, generation=world.record.generation)
    begun = world.begin("r2", image=image(3))
    deploy(world, begun)
    world.records.update(
        "backend-api", partial(intend_weight, generation=begun.generation, slot="blue", weight=100)
    )
    world.records.update(
        "backend-api", partial(promote, generation=begun.generation, now=world.clock.at, window=0)
    )
    since = world.clock.at
    world.clock.forward(185)
    return RetireInput("r2", "production", "backend-api", begun.generation, "green", since)


def retire(world: World, asked: RetireInput, happens: Callable[[], None] = lambda: None) -> Retirement:
    return retire_slot(
        asked,
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        sources={"metrics": Interrupted(asked.since, happens)},
        journal=world.journal,
        now=world.clock,
    )


def test_a_slot_that_a_new_release_deployed_meanwhile_keeps_its_pods(world: World) -> None:
    asked = promoted(world)

    def released_meanwhile() -> None:
        deploy(world, world.begin("r3", image=image(4)))

    with pytest.raises(StaleGeneration, match=f"{PREVIOUS} .* the caller holds {asked.generation}"):
        retire(world, asked, released_meanwhile)
    assert world.cluster.replicas[PREVIOUS] > 0
    assert world.cluster.retired == []
    assert world.record.slots["green"].running
    assert "retired" not in world.journal.kinds("r2")


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
    deploy(world, begun)
    assert len(refused) == 1
    assert world.cluster.replicas[PREVIOUS] > 0


def test_a_slot_that_was_acquired_and_not_deployed_goes_to_rest_and_the_deploy_wakes_it(world: World) -> None:
    asked = promoted(world)
    begun: list[ReleaseContext] = []
    with pytest.raises(StaleGeneration):
        retire(world, asked, lambda: begun.append(world.begin("r3", image=image(4))))
    assert world.cluster.replicas[PREVIOUS] == 0, "nothing of the new release was there yet"
    assert world.record.slots["green"].running, (
        "the slot is not written down as vacant: it is the new release's"
    )
    deploy(world, begun[0])
    assert world.cluster.replicas[PREVIOUS] > 0


def test_whoever_deployed_the_slot_or_came_later_may_retire_it(world: World) -> None:
    assert retire(world, promoted(world)).done
    assert world.cluster.retired == [PREVIOUS]


def test_what_comes_back_in_place_is_deployed_by_the_rollback(world: World) -> None:
    world.records.update("backend-api", partial(take, release="r2", version=V2, in_place=True))
    taken = world.record.generation
    restored = roll_back(world)
    assert world.record.rollback and world.record.rollback.redeploy
    retire(
        world,
        RetireInput(
            restored.release, "production", "backend-api", restored.generation, restored.slot, restored.since
        ),
    )
    notes = world.cluster.objects["Deployment", "backend-api-green"]["metadata"]["annotations"]
    assert notes["candlefish.ai/generation"] == str(restored.generation)
    assert restored.generation > taken
