"""What a person does to the cluster by hand while users ask, what comes to it late, and a release that begins as a
window closes. Nobody's request fails, and in the end there runs what the record says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from candlefish.service.model import other
from lab.faults import Fault
from lab.scenes import helm_chart
from tests.support.labs import Labs
from tests.support.stage import Stage, nobody_is_failed, running
from tests.support.waiting import eventually

ENVIRONMENT, SERVICE = "staging", "api-gateway"


@contextmanager
def one_service(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,)) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(one_service)


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
    """Why the reconciler of the cluster put something right, in the timeline of the release that runs.

    While a writer of the release or of its retirement may still live, nobody is accused of it: it was "completed".
    """
    release = stage.records.get(SERVICE).promoted_release
    kinds = ("cluster_repaired", "cluster_completed")
    return [entry.reason for entry in stage.journal.entries(release) if entry.kind in kinds]


def deployment(stage: Stage, name: str) -> Any:
    return client.AppsV1Api(by_hand(stage)).read_namespaced_deployment(name, namespace(stage))


def release_and_retire(stage: Stage, version: str, **bundle: str) -> None:
    """Release a version and wait until its window has closed and the slot of its predecessor is empty."""
    stage.publish(SERVICE, version)
    release = stage.start(SERVICE, version, **bundle)
    assert stage.ends(release)["status"] == "SUCCEEDED", stage.kinds(release)
    stage.follows(release, "retired")


def test_an_autoscaler_that_was_deleted_comes_back(stage: Stage) -> None:
    name = stable_slot(stage)
    autoscalers = client.AutoscalingV2Api(by_hand(stage))
    before = autoscalers.read_namespaced_horizontal_pod_autoscaler(name, namespace(stage))
    pods = deployment(stage, name)
    with nobody_is_failed(stage, SERVICE):
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
    with nobody_is_failed(stage, SERVICE):
        api.patch_namespaced_deployment_scale(name, namespace(stage), {"spec": {"replicas": 1}})
        # The autoscaler or the reconciler, whoever looks first.
        eventually(lambda: (deployment(stage, name).status.ready_replicas or 0) >= least)
    stage.settled(SERVICE, stage.version(SERVICE))


def test_another_image_in_the_stable_slot_gives_way_to_the_bundle_that_was_released(stage: Stage) -> None:
    version = "1.4.0"
    stage.publish(SERVICE, version)
    image = stage.image(SERVICE, version)
    documents = [*helm_chart.rendered(SERVICE, image), helm_chart.nightly(SERVICE, image)]
    bundle = helm_chart.upload(stage.client("s3"), stage.site.stack.outputs["BundlesBucket"], documents)
    release_and_retire(stage, version, **bundle)
    nightly = client.BatchV1Api(by_hand(stage)).read_namespaced_cron_job(
        f"{SERVICE}-nightly", namespace(stage)
    )
    assert nightly.spec.job_template.spec.template.spec.containers[0].image == image
    assert not nightly.spec.suspend
    name = stable_slot(stage)
    stage.publish(SERVICE, "9.9.9")
    released = deployment(stage, name).spec.template.spec.containers[0]
    hotfix = {"name": released.name, "image": stage.image(SERVICE, "9.9.9")}
    change = {"spec": {"template": {"spec": {"containers": [hotfix]}}}}
    with nobody_is_failed(stage, SERVICE):
        client.AppsV1Api(by_hand(stage)).patch_namespaced_deployment(name, namespace(stage), change)
        eventually(lambda: deployment(stage, name).spec.template.spec.containers[0].image == released.image)
        # It is told of after it was made.
        eventually(lambda: any(f"it runs {hotfix['image']}" in reason for reason in repaired(stage)))
    stage.settled(SERVICE, version)


def test_pods_that_were_woken_in_the_idle_slot_are_taken_away_again(stage: Stage) -> None:
    release_and_retire(stage, "1.5.0")
    stable = stage.records.get(SERVICE).stable
    assert stable
    idle = other(stable)
    with nobody_is_failed(stage, SERVICE):
        change = {"spec": {"replicas": 2}}
        api = client.AppsV1Api(by_hand(stage))
        api.patch_namespaced_deployment_scale(f"{SERVICE}-{idle}", namespace(stage), change)
        eventually(lambda: stage.replicas(SERVICE, idle) == 0)


def test_the_next_release_begins_the_moment_the_window_closes(stage: Stage) -> None:
    stage.publish(SERVICE, "3.0.0")
    stage.publish(SERVICE, "3.1.0")
    with nobody_is_failed(stage, SERVICE):
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


def test_a_retirement_that_comes_late_takes_nothing_of_the_next_release(stage: Stage) -> None:
    """The request that scales the old slot down is on its way while the next release begins."""
    stage.publish(SERVICE, "4.0.0")
    stage.publish(SERVICE, "4.1.0")
    with nobody_is_failed(stage, SERVICE):
        first = stage.start(SERVICE, "4.0.0")
        assert stage.ends(first)["status"] == "SUCCEEDED", stage.kinds(first)
        # The next write to a Deployment is the retirement's.
        late = Fault(
            boundary="kubernetes", service="deployments", operation="patch", kind="latency", seconds=8.0
        )
        stage.world.faults.add(late)
        eventually(lambda: late.hits)
        assert "window_closed" in stage.kinds(first)
        second = stage.start(SERVICE, "4.1.0")
        assert stage.ends(second)["status"] == "SUCCEEDED", stage.kinds(second)
        record = stage.settled(SERVICE, "4.1.0")
    assert not record.bad
    deployed = next(entry for entry in stage.journal.entries(second) if entry.kind == "deployed")
    assert any(line.startswith(f"Deployment {SERVICE}-") for line in deployed.evidence["changed"])


def test_nothing_failed_for_good_neither_as_the_stack_was_made_nor_since(stage: Stage) -> None:
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName=f"candlefish-{ENVIRONMENT}-dead-letters")["QueueUrl"]
    said = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    assert said.get("Messages", []) == []
