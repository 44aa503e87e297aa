"""Jobs of a release: made suspended, let run once, told how they ended, ended for good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from candlefish.catalog.model import Duration, Job
from candlefish.errors import ClusterRefused, StaleGeneration
from candlefish.release.manifests import job_objects, render
from candlefish.release.model import JobSeen
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket

NAME = "api-migrate-r1"


@pytest.fixture(autouse=True)
def new_enough(world: World) -> None:
    if world.server.minor < 24:
        pytest.skip("before 1.24 a Job cannot be suspended")


def make(world: World, tag: str = "v1", *, within: float = 600, name: str = NAME, generation: int = 1) -> str:
    """A Job of a version, as a release makes it; its uid."""
    of = workload(world.namespace, tag, generation=generation)
    around, job = job_objects(render(of), of, Job(name="migrate", within=Duration(within)), name=name)
    world.apply(around)
    world.cluster.make_job(job)
    seen = world.cluster.job(world.namespace, name)
    assert seen
    return seen.uid


def seen_when(world: World, done: Callable[[JobSeen], bool], name: str = NAME) -> JobSeen:
    found = until(
        lambda: world.cluster.job(world.namespace, name), lambda seen: seen is not None and done(seen)
    )
    assert found
    return found


def let_run(world: World, uid: str, generation: int = 1) -> None:
    world.cluster.let_job_run(world.namespace, NAME, uid=uid, generation=generation)


def test_nothing_runs_before_it_is_let(world: World) -> None:
    uid = make(world)
    seen = seen_when(world, lambda each: each.suspended)
    assert (seen.uid, seen.let_run, seen.state) == (uid, False, "running")
    assert world.pods() == [] and world.cluster.jobs_at_work(world.namespace, "api") == ()


def test_one_that_is_there_is_not_made_again(world: World) -> None:
    assert make(world) == make(world)


def test_it_runs_once_and_ends_well(world: World) -> None:
    let_run(world, make(world))
    seen = seen_when(world, lambda each: each.state != "running")
    assert (seen.state, seen.let_run) == ("complete", True), seen
    assert len(world.pods()) == 1
    let_run(world, seen.uid)
    assert len(world.pods()) == 1
    assert world.cluster.jobs_at_work(world.namespace, "api") == ()


def test_one_that_fails_is_not_tried_again_and_says_why(world: World) -> None:
    let_run(world, make(world, "fail"))
    seen = seen_when(world, lambda each: each.state != "running")
    assert seen.state == "failed" and "exit code 1" in seen.reason, seen
    assert len(world.pods()) == 1


def test_what_cannot_be_pulled_is_told_while_it_waits(world: World) -> None:
    let_run(world, make(world, "bad"))
    seen = seen_when(world, lambda each: each.hopeless)
    assert seen.hopeless and "ImagePullBackOff" in seen.reason, seen
    assert world.cluster.jobs_at_work(world.namespace, "api") == (NAME,)
    world.cluster.stop_job(world.namespace, NAME, generation=1)
    ended = seen_when(world, lambda each: each.state == "failed")
    assert "deadline" in ended.reason, ended
    assert until(world.pods, lambda pods: not pods) == []


def test_its_own_deadline_ends_it_whoever_is_dead(world: World) -> None:
    let_run(world, make(world, "bad", within=2))
    assert "deadline" in seen_when(world, lambda each: each.state == "failed").reason


def test_an_older_generation_lets_nothing_run(world: World) -> None:
    uid = make(world, generation=2)
    with pytest.raises(StaleGeneration):
        let_run(world, uid, generation=1)
    assert world.pods() == []


def test_another_one_in_its_place_is_not_let_run(world: World) -> None:
    make(world)
    with pytest.raises(ClusterRefused, match="another one is in its place"):
        let_run(world, "00000000-0000-0000-0000-000000000000")


def test_one_that_is_not_there_is_none(world: World) -> None:
    assert world.cluster.job(world.namespace, NAME) is None
    world.cluster.stop_job(world.namespace, NAME, generation=1)
    with pytest.raises(ClusterRefused, match="it is not there any more"):
        let_run(world, "00000000-0000-0000-0000-000000000000")
