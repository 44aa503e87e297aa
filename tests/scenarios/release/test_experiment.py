"""Experiments in virtual time: CloudWatch's late numbers, the real machines, the weights that really apply."""

from __future__ import annotations

import pytest

from candlefish.release.model import ReleaseEntry
from lab.simulator.versions import Behaviour
from tests.support.scenario import SimulatedStage

SERVICE = "backend-api"
HOUR = 3600.0


def entry(stage: SimulatedStage, release: str, kind: str, number: int = -1) -> ReleaseEntry:
    return [each for each in stage.site.entries(release) if each.kind == kind][number]


def weights(stage: SimulatedStage, release: str) -> list[str]:
    return [each.reason for each in stage.site.entries(release) if each.kind == "shifted"]


@pytest.fixture
def used(stage: SimulatedStage) -> SimulatedStage:
    """A service that has a past."""
    stage.site.run(HOUR / 2)
    return stage


@pytest.mark.parametrize("share", [0.2, 0.45])
def test_a_canary_that_breaks_both_is_out_in_five_minutes_and_rolled_back_with_proof(
    used: SimulatedStage, share: float
) -> None:
    stage = used
    stage.site.publish(SERVICE, "poison", Behaviour(error_rate=0.001, poisons=share, poisons_after=240.0))
    release = stage.start(SERVICE, "poison")
    ended = stage.approve_all(release)
    assert (ended["status"], ended["error"]) == ("FAILED", "JudgedBad")
    proof = entry(stage, release, "experiment_ended")
    assert proof.evidence["outcome"] == "recovered" and "it was the canary" in proof.reason
    out = entry(stage, release, "shifted")
    assert "0% of the traffic" in out.reason
    # It began at most a minute before the first bad window did.
    assert out.at - proof.evidence["since"] < 300
    stage.settled(SERVICE, "1.0.0")


def test_an_outage_of_the_world_stops_no_release(used: SimulatedStage) -> None:
    stage = used
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "shifted")
    stage.site.run(60.0)
    stage.site.break_shared(SERVICE, 0.2, 1.5 * HOUR)
    ended = stage.approve_all(release)
    assert ended["status"] == "SUCCEEDED"
    assert entry(stage, release, "experiment_ended", 0).evidence["outcome"] == "persists"
    shown = weights(stage, release)
    assert [line.split("%")[0] for line in shown[:3]] == ["10", "0", "10"]


def test_a_hold_by_an_alert_is_answered(used: SimulatedStage) -> None:
    stage = used
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "shifted")
    stage.site.break_shared(SERVICE, 0.2, 2 * HOUR)
    stage.site.run(30.0)
    began = stage.site.kernel.now()
    labels = {"alertname": "ErrorRateHigh", "service": SERVICE, "environment": "production"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": "2026-09-21T14:13:20Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "f1",
    }
    assert began and stage.site.alertmanager([alert]) == 202
    stage.site.until(lambda: stage.site.record(SERVICE).holds, "a hold")
    assert [hold.trial for hold in stage.site.record(SERVICE).holds][:1] == ["wanted"]
    stage.comes_to(release, "experiment_ended")
    stage.site.run(1.0)
    assert {hold.trial for hold in stage.site.record(SERVICE).holds} == {"answered"}
    stage.comes_to(release, "approval_requested")
    assert "held" not in stage.kinds(release)


def test_a_rollback_by_hand_in_the_middle_ends_it(used: SimulatedStage) -> None:
    stage = used
    stage.site.publish(SERVICE, "poison", Behaviour(error_rate=0.001, poisons=0.3, poisons_after=240.0))
    release = stage.start(SERVICE, "poison")
    stage.comes_to(release, "experiment")
    stage.site.run(20.0)
    stage.ends(stage.site.roll_back(SERVICE), "Rollback")
    assert stage.status(release) == "rolled_back"
    stage.settled(SERVICE, "1.0.0")
