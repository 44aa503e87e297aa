"""What runs is put back to what the record says, under load: nobody who asks meanwhile is failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.adapters.kubernetes.messages import MERGE
from candlefish.release.manifests import slot_name
from candlefish.release.model import Running
from candlefish.release.running import running_of
from lab.kube.access import MASTERS, User
from lab.kube.kinds import AUTOSCALER, DEPLOYMENT
from lab.kube.requests import Request, answer
from lab.scenes import helm_chart
from lab.traffic.load import Load
from tests.support.labs import Labs
from tests.support.stage import Stage, running
from tests.support.waiting import eventually

ENVIRONMENT, SERVICE = "staging", "api-gateway"
RATE = 40.0
PERSON = User("somebody-with-kubectl", (MASTERS,))


@contextmanager
def drifting(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,)) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(drifting)


@contextmanager
def users(stage: Stage) -> Iterator[None]:
    """Users ask all the time, and none of them must fail."""
    load = Load(stage.site.port, [stage.world.host(ENVIRONMENT, SERVICE)], RATE)
    load.start()
    try:
        yield
    finally:
        samples = load.stop()
    assert samples
    assert [sample for sample in samples if sample.failed] == []


def namespace(stage: Stage) -> str:
    return stage.world.catalog.environments[ENVIRONMENT].namespace


def serves(stage: Stage) -> str:
    record = stage.records.get(SERVICE)
    assert record.stable
    return slot_name(SERVICE, record.stable)


def what_runs(stage: Stage) -> Running:
    store, name = stage.site.cluster.store, serves(stage)
    deployment = store.get(DEPLOYMENT, namespace(stage), name)
    assert deployment
    return running_of(deployment, autoscaled=store.get(AUTOSCALER, namespace(stage), name) is not None)


def kubectl(stage: Stage, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
    """What a person does past the control plane."""
    sent = msgspec.json.encode(body) if body else b""
    where = f"/apis/{path.replace('//', f'/namespaces/{namespace(stage)}/')}"
    code, found = answer(
        stage.site.cluster.writes, Request(method, where, {}, PERSON, sent, MERGE, "kubectl")
    )
    assert code == 200, found


def look(stage: Stage, **event: Any) -> list[tuple[str, str]]:
    """What the reconciler of the cluster finds, called as its schedule calls it."""
    found = stage.world.invoke(ENVIRONMENT, "reconcile-cluster", event)
    return [(each["kind"], each["slot"]) for each in found]


def test_what_somebody_changed_is_put_back_and_nobody_notices(stage: Stage) -> None:
    stage.publish(SERVICE, "1.0.1")
    documents = helm_chart.rendered(SERVICE, stage.image(SERVICE, "1.0.1"))
    bundle = helm_chart.upload(stage.client("s3"), stage.site.stack.outputs["BundlesBucket"], documents)
    ended = stage.ends(stage.start(SERVICE, "1.0.1", **bundle))
    assert ended["status"] == "SUCCEEDED", ended
    slot = stage.settled(SERVICE, "1.0.1").stable
    name, before = serves(stage), what_runs(stage)
    with users(stage):
        assert look(stage) == []
        kubectl(stage, "DELETE", f"autoscaling/v2//horizontalpodautoscalers/{name}")
        kubectl(stage, "PATCH", f"apps/v1//deployments/{name}/scale", {"spec": {"replicas": 1}})
        assert look(stage, dry_run=True) == [("apply", slot)]
        assert not what_runs(stage).autoscaled
        # The schedule may have been faster.
        assert look(stage) in ([("apply", slot)], [])
        eventually(lambda: what_runs(stage) == before)
        assert look(stage) == []


def test_the_next_release_starts_the_moment_the_window_closes(stage: Stage) -> None:
    with users(stage):
        for version in ("1.1.0", "1.2.0"):
            stage.publish(SERVICE, version)
            release = stage.start(SERVICE, version)
            assert stage.ends(release)["status"] == "SUCCEEDED"
            stage.follows(release, "window_closed")
        stage.settled(SERVICE, "1.2.0")
        eventually(lambda: look(stage) == [])
