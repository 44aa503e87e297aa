"""What a person does to the cluster by hand while users ask, and a release that begins as a window closes.

Nobody's request fails, and in the end there runs what the record says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from candlefish.service.model import other
from lab.traffic.load import Load, summarise
from tests.support.labs import Labs
from tests.support.stage import Stage, running
from tests.support.waiting import eventually

ENVIRONMENT, SERVICE = "staging", "backend-api"
RATE = 40.0


@contextmanager
def one_service(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,)) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(one_service)


@contextmanager
def nobody_waits_in_vain(stage: Stage) -> Iterator[None]:
    """Users ask all the time; not one of their requests fails."""
    load = Load(stage.site.port, [stage.world.host(ENVIRONMENT, SERVICE)], RATE)
    load.start()
    try:
        yield
    finally:
        samples = load.stop()
    summary = summarise(samples)
    assert summary.total > 0
    assert summary.failed == 0, summary


def by_hand(stage: Stage) -> client.ApiClient:
    """What kubectl of the cluster's administrator would be."""
    file = stage.world.directory / f"kubeconfig-{ENVIRONMENT}"
    return config.new_client_from_config(str(file))


def namespace(stage: Stage) -> str:
    return stage.world.catalog.environments[ENVIRONMENT].namespace


def stable_slot(stage: Stage) -> str:
    slot = stage.records.get(SERVICE).stable
    assert slot
    return f"{SERVICE}-{slot}"


def repaired(stage: Stage) -> list[str]:
    """Why the reconciler of the cluster put something right, in the timeline of the release that runs."""
    release = stage.records.get(SERVICE).promoted_release
    return [entry.reason for entry in stage.journal.entries(release) if entry.kind == "cluster_repaired"]


def deployment(stage: Stage, name: str) -> Any:
    return client.AppsV1Api(by_hand(stage)).read_namespaced_deployment(name, namespace(stage))


def test_an_autoscaler_that_was_deleted_comes_back(stage: Stage) -> None:
    name = stable_slot(stage)
    autoscalers = client.AutoscalingV2Api(by_hand(stage))
    before = autoscalers.read_namespaced_horizontal_pod_autoscaler(name, namespace(stage))
    pods = deployment(stage, name)
    with nobody_waits_in_vain(stage):
        autoscalers.delete_namespaced_horizontal_pod_autoscaler(name, namespace(stage))
        eventually(lambda: any("autoscaler is missing" in reason for reason in repaired(stage)))
        after = autoscalers.read_namespaced_horizontal_pod_autoscaler(name, namespace(stage))
    assert after.metadata.uid != before.metadata.uid
    assert (after.spec.min_replicas, after.spec.max_replicas) == (
        before.spec.min_replicas,
        before.spec.max_replicas,
    )
    # The Pods were no part of it.
    assert deployment(stage, name).spec.template == pods.spec.template


def test_a_stable_slot_that_was_scaled_down_by_hand_gets_its_pods_again(stage: Stage) -> None:
    name = stable_slot(stage)
    api = client.AppsV1Api(by_hand(stage))
    least = stage.replicas(SERVICE, name.rpartition("-")[2])
    assert least > 1
    with nobody_waits_in_vain(stage):
        api.patch_namespaced_deployment_scale(name, namespace(stage), {"spec": {"replicas": 1}})
        # The autoscaler or the reconciler, whoever looks first.
        eventually(lambda: (deployment(stage, name).status.ready_replicas or 0) >= least)
    stage.settled(SERVICE, stage.version(SERVICE))


def test_another_image_in_the_stable_slot_gives_way_to_the_one_that_was_released(stage: Stage) -> None:
    name, version = stable_slot(stage), stage.version(SERVICE)
    stage.publish(SERVICE, "9.9.9")
    released = deployment(stage, name).spec.template.spec.containers[0]
    hotfix = {"name": released.name, "image": stage.image(SERVICE, "9.9.9")}
    change = {"spec": {"template": {"spec": {"containers": [hotfix]}}}}
    with nobody_waits_in_vain(stage):
        client.AppsV1Api(by_hand(stage)).patch_namespaced_deployment(name, namespace(stage), change)
        eventually(lambda: deployment(stage, name).spec.template.spec.containers[0].image == released.image)
    assert any(f"it runs {hotfix['image']}" in reason for reason in repaired(stage)), repaired(stage)
    stage.settled(SERVICE, version)


def test_pods_that_were_woken_in_the_idle_slot_are_taken_away_again(stage: Stage) -> None:
    record = stage.records.get(SERVICE)
    assert record.stable
    idle = other(record.stable)
    if not stage.replicas(SERVICE, idle) and not record.slots[idle].version:
        # A first release left the idle slot without a Deployment.
        release_to_the_other_slot(stage, "1.5.0")
        idle = other(idle)
    with nobody_waits_in_vain(stage):
        change = {"spec": {"replicas": 2}}
        api = client.AppsV1Api(by_hand(stage))
        api.patch_namespaced_deployment_scale(f"{SERVICE}-{idle}", namespace(stage), change)
        eventually(lambda: stage.replicas(SERVICE, idle) == 0)


def release_to_the_other_slot(stage: Stage, version: str) -> str:
    """Release a version and wait until its window has closed and the slot of its predecessor is empty."""
    stage.publish(SERVICE, version)
    release = stage.start(SERVICE, version)
    assert stage.ends(release)["status"] == "SUCCEEDED", stage.kinds(release)
    stage.follows(release, "retired")
    return release


def test_the_next_release_begins_the_moment_the_window_closes(stage: Stage) -> None:
    stage.publish(SERVICE, "3.0.0")
    stage.publish(SERVICE, "3.1.0")
    with nobody_waits_in_vain(stage):
        first = stage.start(SERVICE, "3.0.0")
        assert stage.ends(first)["status"] == "SUCCEEDED", stage.kinds(first)
        stage.follows(first, "window_closed")
        second = stage.start(SERVICE, "3.1.0")
        assert stage.ends(second)["status"] == "SUCCEEDED", stage.kinds(second)
        record = stage.settled(SERVICE, "3.1.0")
    assert not record.bad
    assert record.stable
    serving = deployment(stage, f"{SERVICE}-{record.stable}")
    assert serving.spec.template.spec.containers[0].image == stage.image(SERVICE, "3.1.0")
