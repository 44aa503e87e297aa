"""A release with a migration, with the real machine, functions and adapters, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from candlefish.release.jobs import job_name
from lab.kube.kinds import JOB, POD
from tests.support.scenario import SimulatedStage, simulated
from tests.support.switched_catalog import switched_catalog

SERVICE = "backend-api"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that migrates before its version and warms up after it; a switch without a judge."""
    jobs = [
        {"name": "migrate", "command": ["migrate"], "within": "10m"},
        {"name": "warm", "when": "after", "args": ["--warm"]},
    ]
    return switched_catalog(tmp_path_factory.mktemp("migrating") / "catalog", SERVICE, jobs=jobs)


@pytest.fixture
def stage(catalog: Path) -> Iterator[SimulatedStage]:
    with simulated(catalog=catalog) as made:
        yield made


def jobs(stage: SimulatedStage) -> list[str]:
    return sorted(job["metadata"]["name"] for job in stage.site.ground.cluster.store.list(JOB))


def test_a_migration_runs_once_before_and_another_job_after_the_last_step(stage: SimulatedStage) -> None:
    before = jobs(stage)
    release = stage.start(SERVICE, "1.2.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    kinds = stage.kinds(release)
    order = [kind for kind in kinds if kind in ("job_started", "job_done", "deployed", "promoted")]
    assert order == ["job_started", "job_done", "deployed", "job_started", "job_done", "promoted"]
    assert len(set(jobs(stage)) - set(before)) == 2
    assert "all done" in stage.reason(release, "job_done")


def test_one_that_fails_ends_the_release_before_anything_has_moved(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    stage.publish(SERVICE, "2.0.0", "job-fails")
    release = stage.start(SERVICE, "2.0.0")
    ended = stage.ends(release)
    assert ended["error"] == "JobFailed"
    assert not {"deployed", "shifted"} & set(stage.kinds(release))
    assert "exit code 1" in stage.reason(release, "rolling_back")
    assert "job migrate had been started and is not undone" in stage.reason(release, "rolled_back")
    stage.settled(SERVICE, before)


def test_one_that_hangs_is_ended_at_its_deadline(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    stage.publish(SERVICE, "2.0.0", "job-hangs")
    release = stage.start(SERVICE, "2.0.0")
    assert stage.ends(release)["error"] == "JobFailed"
    assert "deadline" in stage.reason(release, "rolling_back") or "600 s" in stage.reason(
        release, "rolling_back"
    )
    stage.settled(SERVICE, before)


def test_one_that_somebody_deletes_is_asked_about_and_not_run_again(stage: SimulatedStage) -> None:
    stage.publish(SERVICE, "2.0.0", "job-hangs")
    release = stage.start(SERVICE, "2.0.0")
    stage.comes_to(release, "job_started")
    ours = [
        job
        for job in stage.site.ground.cluster.store.list(JOB)
        if job["spec"]["activeDeadlineSeconds"] == 600
    ]
    gone = max(ours, key=lambda job: int(job["metadata"]["resourceVersion"]))
    stage.site.ground.cluster.store.remove(JOB, gone)
    stage.comes_to(release, "approval_requested")
    assert "how it ended is not known" in stage.reason(release, "job_unknown")
    assert gone["metadata"]["name"] not in jobs(stage)
    stage.answer(release, "denied", "platform-lead")
    assert stage.ends(release)["status"] == "FAILED"
    assert gone["metadata"]["name"] not in jobs(stage)


@pytest.mark.parametrize("kind", ["dies_before", "dies_after", "lost", "refused"])
@pytest.mark.parametrize("skip", range(0, 14, 2))
def test_it_runs_once_whichever_call_of_its_function_goes_wrong(
    stage: SimulatedStage, kind: str, skip: int
) -> None:
    strike = stage.strike(kind, "*", function="run_job", skip=skip)
    release = stage.start(SERVICE, "1.2.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert strike.met == 1
    name = job_name(SERVICE, "migrate", release)
    pods = stage.site.ground.cluster.store.list(POD)
    ran = [pod for pod in pods if pod["metadata"]["name"].startswith(name)]
    assert len(ran) == 1
