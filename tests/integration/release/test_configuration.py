"""A memory limit in the lab, without a new image: planned, a canary, taken back to just what ran before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from candlefish.release.manifests import slot_name
from candlefish.service.model import Slot, other
from lab import ROOT
from lab.kube.kinds import DEPLOYMENT
from lab.traffic.load import Load
from tests.support.stage import Stage, running, shorter_steps
from tests.support.waiting import eventually

pytestmark = pytest.mark.lab
SERVICE, BEFORE, AFTER = "website", "1Gi", "1536Mi"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with running(tmp_path / "lab", ("production",), (SERVICE,), catalog=shorter_steps) as world:
        yield Stage(world, "production")


def limit(stage: Stage, slot: Slot) -> str:
    namespace = stage.world.catalog.environments["production"].namespace
    found = stage.site.cluster.store.get(DEPLOYMENT, namespace, slot_name(SERVICE, slot))
    assert found is not None
    value: str = found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return value


def candlefish(stage: Stage, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "-e", "production"],
        cwd=ROOT,
        env={**os.environ, **stage.world.signed_in("developer")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Another layer with another catalog in it, as a deployment brings it; its template."""
    tree = tmp_path / "newer"
    for name in ("functions", "statemachines", "layers"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", tree)
    with (tree / "layers/control_plane/candlefish/errors.py").open("a") as file:
        file.write("# deployed again\n")
    return tree / "template.yaml"


def test_a_memory_limit_is_planned_released_and_taken_back(stage: Stage, newer: Path) -> None:
    world = stage.world
    before = stage.records.get(SERVICE)
    slot = before.stable
    assert slot
    known = world.catalog.services[SERVICE]
    need = msgspec.structs.replace(known.resources, memory_limit=AFTER)
    services = {**world.catalog.services, SERVICE: msgspec.structs.replace(known, resources=need)}
    world.use_catalog(msgspec.structs.replace(world.catalog, services=services))
    world.update("production", newer)

    planned = json.loads(candlefish(stage, "plan", SERVICE, "--stack", "--json"))
    assert [(each["kind"], each["change"]) for each in planned["objects"]] == [("Deployment", "changed")]
    assert planned["changes"] == [f'service.resources.memory_limit: "{BEFORE}" becomes "{AFTER}"']
    assert planned["refusals"] == []

    load = Load(stage.site.port, [world.host("production", SERVICE)], 30.0)
    load.start()
    try:
        release = candlefish(
            stage,
            *("deploy", SERVICE, "--configuration", "--expect", planned["configuration"]),
            *("--reason", "it needs more memory", "--no-follow"),
        ).strip()
        eventually(lambda: "shifted" in stage.kinds(release))
        assert (limit(stage, slot), limit(stage, other(slot))) == (BEFORE, AFTER)
        stage.roll_back(SERVICE, "rb-limit")
        stage.follows(release, "rolled_back")
    finally:
        samples = load.stop()
    assert [sample for sample in samples if sample.failed] == []
    after = stage.records.get(SERVICE)
    assert after.stable_version == before.stable_version
    assert after.desired == {slot: 100, other(slot): 0}
    assert limit(stage, slot) == BEFORE
