"""What people do to releases: they deny, do not answer, stop, ask twice, and take back."""

from __future__ import annotations

import json

from tests.support.scenario import SimulatedStage

SERVICE = "backend-api"


def test_denied(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "approval_requested")
    status, body = stage.answer(release, "denied", "product-lead")
    assert (status, body["by"]) == (200, "product-lead")
    ended = stage.ends(release)
    assert ended["error"] == "ApprovalDenied"
    assert "product-lead said no: scenario" in ended["cause"]
    stage.settled(SERVICE, before)


def test_the_requester_cannot_approve_and_a_stranger_neither(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0", by="platform-lead")
    stage.comes_to(release, "approval_requested")
    status, body = stage.answer(release, "approved", "platform-lead")
    assert status == 403
    assert "requested" in body["message"]
    assert stage.answer(release, "approved", "developer")[0] == 403
    # The entry comes before the status that follows from it.
    stage.site.until(lambda: stage.status(release) == "awaiting_approval", "the question to be open")
    stage.answer(release, "denied", "product-lead")
    stage.ends(release)
    stage.settled(SERVICE, before)


def test_a_question_nobody_answers_expires(stage: SimulatedStage) -> None:
    """Step Functions keeps the time: eight hours, of which none are waited here."""
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "approval_requested")
    ended = stage.ends(release)
    assert (ended["error"], "nobody answered in time" in ended["cause"]) == ("ApprovalExpired", True)
    assert stage.answer(release, "approved", "platform-lead")[0] == 400
    stage.settled(SERVICE, before)


def test_the_execution_is_stopped_by_hand(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "shifted")
    run = stage.site.execution(release)
    assert run is not None
    stage.site.machines.stop(run.arn)
    stage.site.until(lambda: stage.status(release) == "rolled_back", "the rollback")
    assert "ABORTED" in stage.reason(release, "roll_back")
    record = stage.settled(SERVICE, before)
    assert all(b.image != stage.read(release).version.image for b in record.bad), (
        "nobody said that it was bad"
    )


def test_two_releases_at_once(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    first = stage.start(SERVICE, "1.2.0")
    stage.comes_to(first, "started")
    second = stage.start(SERVICE, "slow")
    ended = stage.ends(second)
    assert ended["error"] == "ServiceBusy"
    assert first in ended["cause"]
    assert stage.status(second) == "refused"
    stage.comes_to(first, "approval_requested")
    stage.answer(first, "denied", "product-lead")
    stage.ends(first)
    stage.settled(SERVICE, before)


def test_the_same_version_again(stage: SimulatedStage) -> None:
    before = stage.records.get(SERVICE)
    release = stage.start(SERVICE, stage.version(SERVICE))
    ended = stage.ends(release)
    assert ended["error"] == "AlreadyStable"
    assert stage.records.get(SERVICE) == before


def test_a_rollback_within_the_window_and_after_it(stage: SimulatedStage) -> None:
    service = "website"
    before = stage.version(service)
    release = stage.start(service, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert stage.version(service) == "1.1.0"
    name = stage.roll_back(service, f"{release}-by-hand")
    assert stage.ends(name, machine="Rollback")["status"] == "SUCCEEDED"
    stage.settled(service, before)
    assert stage.status(release) == "rolled_back"

    again = stage.start(service, "1.2.0")
    assert stage.approve_all(again)["status"] == "SUCCEEDED"
    record = stage.records.get(service)
    stage.site.kernel.run(record.window_until)
    stage.settled(service, "1.2.0")
    late = stage.roll_back(service, f"{again}-too-late")
    ended = stage.ends(late, machine="Rollback")
    assert (ended["status"], ended["error"]) == ("FAILED", "NothingToRollBack")
    assert "window is closed" in json.loads(ended["cause"])["errorMessage"]
    stage.settled(service, "1.2.0")
