"""Jobs that a release's bundle brings: steps of its plan like the catalog's, run once by the same code."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from candlefish.catalog.model import Job
from candlefish.errors import InvalidInput, JobFailed
from candlefish.release.jobs import job_name
from candlefish.release.payloads import JobInput, JobLook, ReleaseContext
from candlefish.release.run_job import run_job
from candlefish.service.model import StartedJob
from lab.memory.release import MemoryBundles
from tests.support.release_world import World
from tests.support.service import fresh

IMAGE = "ghcr.io/example-org/backend-api:2"
NAME = job_name("backend-api", "migrate", "r2")


def job(name: str, events: str, within: int = 120) -> dict[str, Any]:
    container = {"name": "it", "image": IMAGE, "command": ["python", "-m", "app.migrate"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"backend-api-{name}", "annotations": {"helm.sh/hook": events}},
        "spec": {
            "activeDeadlineSeconds": within,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


def brought(world: World, *jobs: dict[str, Any]) -> dict[str, str]:
    """A bundle with these Jobs, where releases find it; what a release says of it."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "backend-api"},
        "spec": {"template": {"spec": {"containers": [{"name": "api", "image": IMAGE}]}}},
    }
    body = json.dumps([deployment, *jobs]).encode()
    world.bundles = MemoryBundles({"s3://bundles/one": body})
    return {"bundle": "s3://bundles/one", "bundle_digest": hashlib.sha256(body).hexdigest()}


def look(world: World, begun: ReleaseContext, name: str = "migrate") -> JobLook:
    step = world.step(begun, "job", name=name, within=120.0, poll=5)
    return run_job(
        JobInput(**msgspec.structs.asdict(step), index=1),
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=world.bundles,
        journal=world.journal,
        now=world.clock,
    )


def steps(world: World) -> list[str]:
    plan = world.journal.read("r2").plan
    return [str(step) for step in (plan[0], plan[-1])]


HOOKS = (
    job("migrate", "pre-upgrade"),
    job("seed", "pre-install", within=60),
    job("warm", "post-install,post-upgrade"),
)


def test_hooks_are_steps_of_the_plan(world: World) -> None:
    world.begin(**brought(world, *HOOKS))
    assert steps(world) == ["job migrate", "job warm"]
    plan = world.journal.read("r2").plan
    assert [step.name for step in plan if step.kind == "job"] == ["migrate", "warm"]
    assert plan[0].within == 120.0


def test_the_first_release_runs_the_hooks_of_an_install() -> None:
    world = World(fresh())
    world.begin(**brought(world, *HOOKS))
    assert steps(world) == ["job seed", "job warm"]


def test_a_hook_runs_once_from_the_releases_image(world: World) -> None:
    begun = world.begin(**brought(world, *HOOKS))
    for _ in range(4):
        assert look(world, begun).action == "again"
    assert world.cluster.ran == {NAME: 1}
    assert world.record.jobs == (StartedJob(NAME, "migrate", "uid-1"),)
    (container,) = world.cluster.manifests[NAME]["spec"]["template"]["spec"]["containers"]
    version = world.record.slots["blue"].version
    assert version and (container["image"], container["command"]) == (
        version.image,
        ["python", "-m", "app.migrate"],
    )
    world.cluster.ends(NAME)
    assert look(world, begun).action == "go_on"
    # It goes: its time is over. Nobody starts it again.
    world.cluster.forget(NAME)
    assert look(world, begun).action == "ask"
    assert world.cluster.ran == {NAME: 1}


def test_a_hook_that_fails_ends_the_release_before_anything_of_it_runs(world: World) -> None:
    begun = world.begin(**brought(world, *HOOKS))
    look(world, begun), look(world, begun)
    world.cluster.ends(NAME, "failed", reason="exit code 1")
    with pytest.raises(JobFailed, match="no traffic had moved"):
        look(world, begun)


def test_the_catalogs_job_of_the_same_name_runs_instead(world: World) -> None:
    services = dict(world.catalog.services)
    own = Job(name="migrate", when="after", command=("own",))
    services["backend-api"] = msgspec.structs.replace(services["backend-api"], jobs=(own,))
    world.catalog = msgspec.structs.replace(world.catalog, services=services)
    begun = world.begin(**brought(world, job("migrate", "pre-upgrade")))
    assert steps(world)[0] == "deploy" and steps(world)[1] == "job migrate"
    look(world, begun)
    (container,) = world.cluster.manifests[NAME]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["own"]


@pytest.mark.parametrize(
    ("jobs", "why"),
    [
        ((job("migrate", "test"),), "is a test of the chart"),
        (tuple(job(f"j{n}", "pre-upgrade") for n in range(6)), "holds 6 of kind Job; at most 5"),
    ],
)
def test_a_bundle_that_no_release_can_run_takes_no_service(world: World, jobs: Any, why: str) -> None:
    before = world.record
    with pytest.raises(InvalidInput, match=why):
        world.begin(**brought(world, *jobs))
    assert world.record == before
    assert world.journal.kinds("r2") == ["refused"]
