"""A night and a morning through the deployed template: real handlers, real machine, a cluster and databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.faults import Fault
from lab.world import World
from tests.support.labs import Labs
from tests.support.night import ENVIRONMENT, Night


def objects(world: World, namespace: str) -> Iterator[dict[str, Any]]:
    for number, service in enumerate(("backend-api", "website"), 2):
        labels = {"app": service}
        metadata = {"name": f"{service}-blue", "namespace": namespace, "labels": labels}
        container = {"name": service, "image": world.image(service, "1.0.0")}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        selector = {"matchLabels": labels}
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{service}-blue"}
        specs = {
            ("apps/v1", "Deployment"): {"replicas": number, "selector": selector, "template": pod},
            ("policy/v1", "PodDisruptionBudget"): {"minAvailable": 1, "selector": selector},
            ("autoscaling/v2", "HorizontalPodAutoscaler"): {
                "minReplicas": 1,
                "maxReplicas": 6,
                "scaleTargetRef": target,
            },
        }
        for (version, kind), spec in specs.items():
            yield {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


@contextmanager
def staging(folder: Path) -> Iterator[Night]:
    with World(folder, time_scale=120.0) as world:
        # No releases: this is about capacity. The objects are like those that a release applies.
        world.up((ENVIRONMENT,))
        night = Night(world)
        night.site.cluster.apply(objects(world, night.env.namespace))
        night.until_ready()
        night.client("rds").create_db_instance(
            DBInstanceIdentifier=night.env.databases[0].identifier,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=20,
            Tags=[{"Key": "candlefish:environment", "Value": ENVIRONMENT}],
        )
        yield night


@pytest.fixture
def night(labs: Labs) -> Night:
    return labs.get(staging)


def test_a_night_and_a_morning(night: Night) -> None:
    evening = night.picture()
    assert evening["nodes"] == 3
    status, answer = night.say("sleep")
    assert status == 200, answer
    assert answer["desired"]["state"] == "asleep"
    asleep = night.phase("asleep")
    assert asleep.by
    down = night.picture()
    assert down["nodes"] == 0
    assert down["Nodegroup/default"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}
    assert down[f"Database/{night.env.databases[0].identifier}"] == "stopped"
    assert {spec["replicas"] for name, spec in down.items() if name.startswith("Deployment")} == {0}
    assert asleep.notes == {}
    # Whoever looks at what sleeps sees the nodes and databases too.
    look = night.world.invoke(ENVIRONMENT, "reconcile-capacity", {"dry_run": True})
    assert look["action"] == "none", look
    status, answer = night.say("wake")
    assert status == 200, answer
    night.phase("awake")
    assert night.picture() == evening


def test_faults_everywhere_do_not_change_the_morning(night: Night) -> None:
    evening = night.picture()
    for fault in (
        Fault(boundary="aws", kind="error", service="eks", operation="NodegroupUpdate"),
        Fault(boundary="aws", kind="throttle", service="rds", operation="StopDBInstance"),
        Fault(boundary="function", kind="crash", service="*advance-capacity", count=2, skip=2, seconds=0.05),
        Fault(boundary="kubernetes", kind="lost_answer", service="deployments", operation="patch", count=2),
        Fault(boundary="kubernetes", kind="error", service="*", operation="list", count=3, skip=5),
    ):
        night.world.faults.add(fault)
    assert night.say("sleep")[0] == 200
    night.until(lambda record: record.phase == "asleep")
    night.world.faults.add(Fault(boundary="aws", kind="error", service="eks", operation="NodegroupUpdate"))
    night.world.faults.add(
        Fault(boundary="function", kind="crash", service="*advance-capacity", count=2, skip=3, seconds=0.05)
    )
    assert night.say("wake")[0] == 200
    night.phase("awake")
    assert sum(fault.hits for fault in night.world.faults.list()) >= 7
    night.world.faults.clear()
    assert night.picture() == evening


def test_the_plan_is_a_dry_run(night: Night) -> None:
    before, revision = night.picture(), night.store.get().revision
    decision = night.world.invoke(ENVIRONMENT, "reconcile-capacity", {"dry_run": True})
    assert decision["action"] == "none"
    assert night.picture() == before
    assert night.store.get().revision == revision


def test_a_command_that_makes_no_sense_is_refused_with_a_reason(night: Night) -> None:
    status, answer = night.say("sleep", until="yesterday")
    assert status == 400
    assert "write it like 23:00" in answer["message"]
