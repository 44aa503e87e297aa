"""CronJobs beside a service, with the real machines, functions, roles and adapters, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.kube.kinds import CRON_JOB
from tests.support.scenario import SimulatedStage, simulated
from tests.support.switched_catalog import switched_catalog

SERVICE = "backend-api"
NAME = f"{SERVICE}-report"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that reports by the clock; a switch without a judge."""
    cron = [{"name": "report", "schedule": "30 3 * * *", "args": ["--report"]}]
    return switched_catalog(tmp_path_factory.mktemp("daily") / "catalog", SERVICE, cron=cron)


@pytest.fixture
def stage(catalog: Path) -> Iterator[SimulatedStage]:
    with simulated(catalog=catalog) as made:
        yield made


def runs(stage: SimulatedStage) -> dict[str, str]:
    """Which image each CronJob of the environment runs."""
    return {
        each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0][
            "image"
        ]
        for each in stage.site.ground.cluster.store.list(CRON_JOB)
        if not each["spec"]["suspend"]
    }


def stable(stage: SimulatedStage) -> dict[str, str]:
    version = stage.site.record(SERVICE).stable_version
    assert version is not None
    return {NAME: version.image}


def follows(stage: SimulatedStage, within: float = 600) -> None:
    """Wait until what is stable is what its CronJob runs: the cluster's reconciler looks every five minutes."""
    stage.site.until(lambda: runs(stage) == stable(stage), "the CronJob of what is stable", within=within)


def test_it_follows_a_promotion_and_a_rollback_in_the_window(stage: SimulatedStage) -> None:
    follows(stage)
    before = runs(stage)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "approval_requested")
    assert runs(stage) == before, "half of the traffic is on the candidate"
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert runs(stage) == stable(stage) != before
    assert "run 1.2.0 from now on" in stage.reason(release, "cron_moved")
    back = stage.roll_back(SERVICE, "rb", reason="people say so")
    assert stage.ends(back, "Rollback")["status"] == "SUCCEEDED"
    assert runs(stage) == stable(stage) == before


@pytest.mark.parametrize("kind", ["dies_before", "dies_after", "lost", "refused"])
@pytest.mark.parametrize("skip", [0, 3, 6])
def test_whichever_call_of_its_function_goes_wrong_what_is_stable_runs(
    stage: SimulatedStage, kind: str, skip: int
) -> None:
    strike = stage.strike(kind, "*", function="keep_cron", skip=skip)
    release = stage.start(SERVICE, "1.2.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED", "it is no matter of the release"
    follows(stage)
    assert strike.met <= 1
