"""The three environments' strategies, a bundle from Helm, and a train, each through its own stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from candlefish.adapters.table.failovers import DynamoStableVersions
from candlefish.service.model import Version
from lab.scenes import helm_chart
from lab.traffic.load import Load
from tests.support.labs import Labs
from tests.support.stage import ROOT, SERVICES, Stage, cars, follow_train, running, start_train, under_load
from tests.support.waiting import eventually

ENVIRONMENTS = ("development", "staging", "production")


@contextmanager
def three_environments(folder: Path) -> Iterator[dict[str, Stage]]:
    with running(folder, ENVIRONMENTS, SERVICES) as world:
        yield {name: Stage(world, name) for name in ENVIRONMENTS}


@pytest.fixture
def stages(labs: Labs) -> dict[str, Stage]:
    return labs.get(three_environments)


@pytest.fixture
def stage(stages: dict[str, Stage]) -> Stage:
    return stages["production"]


def failures_by(load: Load) -> Counter[str]:
    return Counter(s.version or f"nobody ({s.status} {s.error})" for s in load.stop() if s.failed)


def test_development_updates_in_place(stages: dict[str, Stage]) -> None:
    stage = stages["development"]
    slot = stage.records.get("backend-api").stable
    with under_load(stage, 60) as load:
        release = stage.start("backend-api", "1.1.0")
        assert stage.ends(release)["status"] == "SUCCEEDED"
        record = stage.settled("backend-api", "1.1.0")
        assert record.stable == slot, "in place: the slot stays the same"
        assert not failures_by(load)


def test_a_promotion_is_remembered_at_home_alone_where_no_control_plane_stands_by(
    stages: dict[str, Stage],
) -> None:
    stage = stages["development"]
    assert stage.ends(stage.start("api-gateway", "1.1.0"))["status"] == "SUCCEEDED"
    known = DynamoStableVersions(
        stage.client("dynamodb"), stage.site.stack.outputs["TableName"], "development"
    )
    eventually(lambda: (known.read("api-gateway") or Version("")).label == "1.1.0")
    # Once more, and watched to its end: it fails for nothing and asks no other region.
    event = {"detail": {"service": "api-gateway", "at": time.time()}}
    stage.world.invoke("development", "remember-stable", event)
    calls = [c for c in stage.world.aws.gateway.calls if c.caller.endswith("development-remember-stable")]
    assert {(c.region, c.status) for c in calls if c.service == "dynamodb"} == {(stage.site.region, 200)}


def test_development_goes_back_in_place_when_the_version_does_not_come_up(stages: dict[str, Stage]) -> None:
    stage = stages["development"]
    before = stage.version("website")
    release = stage.start("website", "crash")
    assert stage.ends(release)["error"] == "RolloutFailed"
    stage.settled("website", before)
    assert "restored" in stage.kinds(release)


def test_development_goes_back_in_place_to_what_came_as_a_bundle(stages: dict[str, Stage]) -> None:
    stage = stages["development"]
    bundle = upload(stage, helm_chart.rendered("api-gateway", stage.world.image("api-gateway", "1.2.0")))
    assert stage.ends(stage.start("api-gateway", "1.2.0", **bundle))["status"] == "SUCCEEDED"
    release = stage.start("api-gateway", "crash")
    assert stage.ends(release)["error"] == "RolloutFailed"
    stage.settled("api-gateway", "1.2.0")


def test_staging_is_blue_green(stages: dict[str, Stage]) -> None:
    stage = stages["staging"]
    slot = stage.records.get("backend-api").stable
    with under_load(stage, 60) as load:
        release = stage.start("backend-api", "1.1.0")
        assert stage.approve_all(release)["status"] == "SUCCEEDED"
        weights = [
            entry.evidence["weights"][stage.read(release).slot]
            for entry in stage.journal.entries(release)
            if entry.kind == "shifted"
        ]
        assert weights == [100]
        assert stage.kinds(release).index("smoke_tested") < stage.kinds(release).index("shifted")
        record = stage.settled("backend-api", "1.1.0")
        assert record.stable != slot, "blue-green: the slots change places"
        assert not failures_by(load)


def test_production_is_a_canary_with_a_persons_approval(stages: dict[str, Stage]) -> None:
    stage = stages["production"]
    with under_load(stage, 90) as load:
        release = stage.start("backend-api", "1.1.0")
        assert stage.approve_all(release)["status"] == "SUCCEEDED"
        entries = stage.journal.entries(release)
        slot = stage.read(release).slot
        assert [e.evidence["weights"][slot] for e in entries if e.kind == "shifted"] == [10, 50, 100]
        assert any(e.kind == "approved" and e.by == "platform-lead" for e in entries)
        eventually(lambda: "retired" in stage.kinds(release))
        stage.settled("backend-api", "1.1.0")
        assert not failures_by(load)


def upload(stage: Stage, documents: list[dict[str, Any]]) -> dict[str, str]:
    return helm_chart.upload(stage.client("s3"), stage.site.stack.outputs["BundlesBucket"], documents)


def test_a_bundle_that_helm_wrote(stages: dict[str, Stage]) -> None:
    stage = stages["staging"]
    with under_load(stage, 60) as load:
        bundle = upload(stage, helm_chart.rendered("api-gateway", stage.world.image("api-gateway", "1.1.0")))
        release = stage.start("api-gateway", "1.1.0", **bundle)
        assert stage.approve_all(release)["status"] == "SUCCEEDED", stage.kinds(release)
        stage.settled("api-gateway", "1.1.0")
        assert not failures_by(load)


def test_a_bundle_that_must_not_be_applied_is_refused_and_taken_back(stages: dict[str, Stage]) -> None:
    stage = stages["staging"]
    before = stage.version("api-gateway")
    evil = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "root"}}
    bundle = upload(
        stage, [*helm_chart.rendered("api-gateway", stage.world.image("api-gateway", "1.2.0")), evil]
    )
    release = stage.start("api-gateway", "1.2.0", **bundle)
    ended = stage.ends(release)
    assert ended["error"] == "InvalidInput"
    assert "ClusterRole" in ended["cause"]
    stage.settled("api-gateway", before)


def test_a_bundle_that_was_changed_after_it_was_named_is_refused(stages: dict[str, Stage]) -> None:
    stage = stages["staging"]
    before = stage.version("api-gateway")
    bundle = upload(stage, helm_chart.rendered("api-gateway", stage.world.image("api-gateway", "1.2.0")))
    release = stage.start("api-gateway", "1.2.0", **{**bundle, "bundle_digest": "0" * 64})
    ended = stage.ends(release)
    assert (ended["error"], "it was changed since" in ended["cause"]) == ("InvalidInput", True)
    stage.settled("api-gateway", before)


@contextmanager
def terminal(stage: Stage, *arguments: str) -> Iterator[IO[str]]:
    """What `candlefish` prints to a person who runs it."""
    environment = {**os.environ, **stage.world.signed_in("developer")}
    command = [sys.executable, "-m", "cli", *arguments, "-e", stage.environment]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout


def test_a_train_arrives_in_the_order_of_its_dependencies(stages: dict[str, Stage], tmp_path: Path) -> None:
    stage = stages["staging"]
    order = ["backend-api", "api-gateway", "website"]
    with under_load(stage, 60) as load:
        file = tmp_path / "train.json"
        file.write_text(json.dumps(cars(stage, dict.fromkeys(reversed(order), "1.2.0"))))
        with terminal(stage, "train", str(file)) as shown:
            train = shown.readline().strip()
            ended = follow_train(stage, train)
            told = shown.read()
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        assert json.loads(ended["output"])["released"] == order
        assert told.endswith(f"{train} arrived: {', '.join(order)}\n"), told
        begun = [told.index(f"{train}-{service} +0.0s started") for service in order]
        assert begun == sorted(begun)
        assert all(told.count(f"{train}-{name} +") == len(stage.kinds(f"{train}-{name}")) for name in order)
        for service in SERVICES:
            stage.settled(service, "1.2.0")
        assert not failures_by(load)


def test_a_train_that_fails_takes_back_what_it_promoted(stages: dict[str, Stage]) -> None:
    stage = stages["staging"]
    before = {service: stage.version(service) for service in SERVICES}
    with under_load(stage, 60) as load:
        train = start_train(stage, {"website": "smoke-fails", "api-gateway": "1.1.0", "backend-api": "1.1.0"})
        ended = follow_train(stage, train)
        assert ended["error"] == "TrainFailed"
        for service in SERVICES:
            stage.settled(service, before[service])
        assert stage.status(f"{train}-backend-api") == "rolled_back"
        assert not failures_by(load)


def test_another_environments_machine_refuses(stages: dict[str, Stage]) -> None:
    release = stages["staging"].start("website", "1.1.0")
    stages["staging"].ends(release)
    stage = stages["production"]
    request = {
        "service": "website",
        "environment": "staging",
        "image": stage.world.image("website", "1.1.0"),
        "requested_by": "developer",
        "reason": "wrong door",
    }
    ended = stage.ends(stage.start_raw(request, f"wrong-{uuid.uuid4().hex[:6]}"))
    assert (ended["error"], "deploys to production" in ended["cause"]) == ("InvalidInput", True)
