"""Canaries that are worse in one way only, rolled back by evidence from the traffic that they really got."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.simulator.versions import Behaviour
from tests.support.quick_catalog import without_budgets
from tests.support.scenario import SimulatedStage, simulated

SERVICE = "backend-api"
# What the stable version does: a few errors, and a twentieth of its answers take 60 ms.
STABLE = Behaviour(error_rate=0.02, slow_rate=0.06, slow_seconds=0.06)
CANARIES = {
    # Nothing but three times the errors.
    "errors": Behaviour(error_rate=0.06, slow_rate=0.06, slow_seconds=0.06),
    # Nothing but a p95 that has doubled.
    "p95": Behaviour(error_rate=0.02, slow_rate=0.06, slow_seconds=0.12),
}
METRICS = {"errors": "errors", "p95": "slow"}


@pytest.fixture(scope="session")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence is all there is: no objectives, a latency budget between the two versions' p95."""
    changes = ("policies.yaml", "slow_over: 2s", "slow_over: 0.1s")
    return without_budgets(tmp_path_factory.mktemp("evidence") / "catalog", changes)


@pytest.fixture
def compared(evidence: Path) -> Iterator[SimulatedStage]:
    with simulated(services=(SERVICE,), catalog=evidence) as made:
        version = made.site.record(SERVICE).stable_version
        assert version is not None
        made.site.ground.pods.behave(version.image, STABLE)
        # A service has a past by which its burstiness is known.
        made.site.run(600.0)
        yield made


@pytest.mark.parametrize("what", list(CANARIES))
def test_a_canary_that_is_worse_in_one_way_is_rolled_back_by_evidence(
    compared: SimulatedStage, what: str
) -> None:
    stage = compared
    stage.site.publish(SERVICE, what, CANARIES[what])
    release = stage.start(SERVICE, what)
    ended = stage.approve_all(release)
    judged = [entry for entry in stage.site.entries(release) if entry.kind == "judged"]
    assert ended["status"] == "FAILED"
    last = judged[-1].evidence
    assert (last["action"], last["source"]) == ("rollback", "cloudwatch")
    assert last["metric"] == METRICS[what]
    assert last["e_value"] >= last["threshold"]
    assert last["odds_ratio"] > 1.5
    stage.settled(SERVICE, "1.0.0")


def test_a_canary_that_is_no_worse_is_kept(compared: SimulatedStage) -> None:
    stage = compared
    stage.site.publish(SERVICE, "alike", STABLE)
    assert stage.approve_all(stage.start(SERVICE, "alike"))["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "alike")


@pytest.mark.parametrize("behaviour", ["hang", "reset", "half-answer"])
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_a_canary_that_leaves_requests_without_an_answer_is_rolled_back(behaviour: str, rate: float) -> None:
    """It passes its smoke tests, and turns when it has users."""
    with simulated(services=(SERVICE,)) as stage:
        site = stage.site
        site.publish(SERVICE, behaviour, "good")
        release = stage.start(SERVICE, behaviour)
        site.until(lambda: "shifted" in site.kinds(release), "the canary has users")
        canary = next(slot for slot in site.record(SERVICE).slots.values() if slot.state == "candidate")
        assert canary.version is not None
        began = site.kernel.now()
        turned = {f"{behaviour.replace('-', '_')}_rate": rate}
        site.ground.pods.behave(canary.version.image, Behaviour(**turned))
        ended = stage.approve_all(release)
        if rate < 0.5:
            # Over half is for the alarm as well, and either may be first.
            assert ended["status"] == "FAILED"
            assert [e for e in site.entries(release) if e.evidence.get("action") == "rollback"]
        (back,) = [e for e in site.entries(release) if e.kind == "rolling_back"]
        assert back.at - began < 6 * 60
        assert "promoted" not in site.kinds(release)
        stage.settled(SERVICE, "1.0.0")
