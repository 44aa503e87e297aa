"""Capacity: waking, resting, and the autoscaler's range."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from candlefish.adapters.kubernetes.cluster import LOOKS, KubernetesCluster
from candlefish.adapters.kubernetes.messages import MERGE, ApiResponse
from candlefish.errors import ClusterRefused, StaleGeneration, Unavailable
from candlefish.release.manifests import render
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket

# Longer than two looks of the autoscaler, on either server.
A_WHILE = 3.0


@pytest.fixture
def slot(world: World) -> str:
    world.apply(render(workload(world.namespace)))
    until(lambda: replicas(world), lambda number: number == 2)
    return "api-blue"


def replicas(world: World) -> int:
    return world.cluster.current_replicas(world.namespace, "api-blue")


def test_a_retired_slot_has_no_pods_and_keeps_everything_else(world: World, slot: str) -> None:
    world.cluster.retire(world.namespace, slot, 1)
    assert until(world.pods, lambda pods: not pods) == []
    for kind in ("deployments", "services", "horizontalpodautoscalers", "targetgroupbindings"):
        assert world.get(kind, slot), kind
    world.cluster.retire(world.namespace, slot, 1)


class Meddled:
    """The API, where something happens each time before a slot is written."""

    def __init__(self, world: World, happens: Callable[[int], None]) -> None:
        self._api = world.server.carrier()
        self._happens = happens
        self.written = 0

    def request(self, method: str, path: str, **more: Any) -> ApiResponse:
        if method == "PATCH":
            self.written += 1
            self._happens(self.written)
        return self._api.request(method, path, **more)


def note(world: World, text: str) -> None:
    """Somebody writes something that is of no matter."""
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/api-blue"
    world.admin.must("PATCH", path, {"metadata": {"annotations": {"example.org/note": text}}}, MERGE)


def test_a_deploy_between_the_look_and_the_write_is_seen(world: World, slot: str) -> None:
    meddled = Meddled(world, lambda times: world.apply(render(workload(world.namespace, "v2", generation=2))))
    with pytest.raises(StaleGeneration, match="generation 2 wrote it"):
        KubernetesCluster(meddled).retire(world.namespace, slot, 1)
    assert (meddled.written, replicas(world)) == (1, 2)


def test_a_write_that_is_of_no_matter_does_not_keep_a_slot_from_being_retired(
    world: World, slot: str
) -> None:
    meddled = Meddled(world, lambda times: note(world, "once") if times == 1 else None)
    KubernetesCluster(meddled).retire(world.namespace, slot, 1)
    assert meddled.written >= 2, "the first write was refused"
    assert replicas(world) == 0


def test_a_slot_that_others_never_stop_writing_is_left_for_another_time(world: World, slot: str) -> None:
    meddled = Meddled(world, lambda times: note(world, str(times)))
    with pytest.raises(Unavailable, match="left as it is"):
        KubernetesCluster(meddled).retire(world.namespace, slot, 1)
    assert (meddled.written, replicas(world)) == (LOOKS, 2)


def test_the_autoscaler_does_not_wake_a_retired_slot(world: World, slot: str) -> None:
    world.cluster.retire(world.namespace, slot, 1)
    world.cluster.set_bounds(world.namespace, slot, minimum=3, maximum=4, generation=1)
    time.sleep(A_WHILE)
    assert replicas(world) == 0


def test_applying_does_not_wake_a_retired_slot_but_raising_does(world: World, slot: str) -> None:
    world.cluster.retire(world.namespace, slot, 1)
    world.apply(render(workload(world.namespace, "v2")))
    seen = until(
        lambda: world.cluster.rollout(world.namespace, slot), lambda seen: "scaled to 0" in seen.reason
    )
    assert (seen.status, replicas(world)) == ("progressing", 0)
    assert world.cluster.raise_to(world.namespace, slot, 2, generation=1) == 2
    ready = until(lambda: world.cluster.rollout(world.namespace, slot), lambda seen: seen.status == "ready")
    assert (ready.status, ready.ready) == ("ready", 2)


def test_a_woken_slot_has_no_deadline_of_its_own_but_says_what_it_waits_for(world: World, slot: str) -> None:
    # The Deployment was complete at 0 Pods, and Kubernetes puts no deadline on scaling.
    world.cluster.retire(world.namespace, slot, 1)
    until(world.pods, lambda pods: not pods)
    world.apply(render(workload(world.namespace, "notready", ready_within=1)))
    until(lambda: world.cluster.rollout(world.namespace, slot), lambda seen: "scaled to 0" in seen.reason)
    world.cluster.raise_to(world.namespace, slot, 2, generation=1)
    time.sleep(A_WHILE)
    seen = until(
        lambda: world.cluster.rollout(world.namespace, slot), lambda seen: "not ready" in seen.reason
    )
    assert seen.status == "progressing"
    assert "container api of Pod api-blue-" in seen.reason


def test_raising_never_lowers(world: World, slot: str) -> None:
    world.scale(slot, 4)
    assert world.cluster.raise_to(world.namespace, slot, 2, generation=1) == 4
    assert replicas(world) == 4


@pytest.mark.parametrize(("bounds", "then"), [((3, 4), 3), ((1, 1), 1)])
def test_the_autoscaler_moves_the_slot_into_its_range(
    world: World, slot: str, bounds: tuple[int, int], then: int
) -> None:
    world.cluster.set_bounds(world.namespace, slot, minimum=bounds[0], maximum=bounds[1], generation=1)
    assert until(lambda: replicas(world), lambda number: number == then) == then


def test_bounds_that_make_no_sense_are_refused(world: World, slot: str) -> None:
    with pytest.raises(ClusterRefused, match="maxReplicas"):
        world.cluster.set_bounds(world.namespace, slot, minimum=5, maximum=2, generation=1)


def test_a_slot_that_is_not_there_has_no_pods(world: World) -> None:
    assert replicas(world) == 0
    world.cluster.retire(world.namespace, "api-blue", 1)


def test_a_slot_that_is_not_there_cannot_be_woken_and_has_no_range(world: World) -> None:
    with pytest.raises(ClusterRefused, match=r"Deployment api-blue .*there is none; deploy the slot again"):
        world.cluster.raise_to(world.namespace, "api-blue", 1, generation=1)
    with pytest.raises(ClusterRefused, match=r"HorizontalPodAutoscaler api-blue .*there is none; somebody"):
        world.cluster.set_bounds(world.namespace, "api-blue", minimum=1, maximum=2, generation=1)


def test_a_pod_that_goes_is_finished_only_after_its_grace(world: World, slot: str) -> None:
    running = until(
        world.pods, lambda pods: len(pods) == 2 and all("nodeName" in pod["spec"] for pod in pods)
    )
    path = f"/api/v1/namespaces/{world.namespace}/pods/{running[0]['metadata']['name']}"
    gone = world.admin.must("DELETE", path)
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 60
    assert until(lambda: world.admin.call("GET", path)[0], lambda status: status == 404) == 404
    assert len(until(world.pods, lambda pods: len(pods) == 2)) == 2
