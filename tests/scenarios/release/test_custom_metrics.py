"""A worker that no load balancer and no Prometheus counts: judged by what it publishes to CloudWatch itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from candlefish.catalog.model import CUSTOM
from candlefish.service.model import other
from tests.support.kinds_catalog import PUBLISHED, WORKER, kinds_catalog
from tests.support.scenario import SimulatedStage, simulated


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[SimulatedStage]:
    with simulated("production", (WORKER,), catalog=kinds_catalog(tmp_path / "catalog", PUBLISHED)) as made:
        yield made


def evidence(stage: SimulatedStage, release: str) -> list[dict[str, object]]:
    return [entry.evidence for entry in stage.site.entries(release) if entry.by == "judge"]


def test_a_version_that_fails_its_jobs_is_rolled_back(stage: SimulatedStage) -> None:
    before, stable = stage.version(WORKER), stage.site.record(WORKER).stable
    assert stable
    release = stage.start(WORKER, "often-fails")
    assert stage.ends(release)["error"] == "JudgedBad"
    last = evidence(stage, release)[-1]
    assert (last["action"], last["source"]) == ("rollback", CUSTOM)
    assert "sources" not in last, "nobody else is asked"
    stage.site.until(lambda: stage.status(release) == "rolled_back", "rolled back")
    assert stage.settled(WORKER, before).stable == stable
    whole = {stable: 4, other(stable): 0}
    stage.site.until(lambda: stage.site.ground.jobs.working(WORKER) == whole, "the old version in full")


def test_a_version_that_does_its_jobs_is_promoted_by_them(stage: SimulatedStage) -> None:
    release = stage.start(WORKER, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    judged = evidence(stage, release)
    assert {each["source"] for each in judged} == {CUSTOM}
    assert "promote" in {each["action"] for each in judged}


def test_what_publishes_nothing_is_asked_about(stage: SimulatedStage) -> None:
    """Not knowing is no evidence: a person decides."""
    stage.site.ground.metrics.custom = lambda metric, start, end: None
    release = stage.start(WORKER, "1.1.0")
    stage.comes_to(release, "approval_requested")
    said = [entry.reason for entry in stage.site.entries(release) if entry.kind == "judged"][-1]
    assert "the sums of Jobs and Failed in namespace Work with Service=mailer, Slot=" in said
