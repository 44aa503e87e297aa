"""What people do to releases: they deny, do not answer, stop, ask twice, and take back."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.release.payloads import ReleaseRequest
from candlefish.requester import Asked, Requester, digest_of
from lab.simulator.site import NotReached
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
    with pytest.raises(NotReached, match=r"NothingToRollBack.*window is closed"):
        stage.roll_back(service, f"{again}-too-late")
    assert stage.site.execution(f"{again}-too-late", "rollback") is None
    stage.settled(service, "1.2.0")


# --- who asked, in production


def unasked(stage: SimulatedStage, service: str, version: str, name: str, **more: object) -> str:
    """Start a release past the endpoint, as whoever may start executions could."""
    request = {"service": service, "image": stage.site.image(service, version), "reason": "trust me", **more}
    return stage.start_raw({"label": version, **request}, name)


def test_what_nobody_is_known_to_have_asked_for_takes_two_people(stage: SimulatedStage) -> None:
    release = unasked(stage, SERVICE, "1.1.0", "who")
    stage.comes_to(release, "approval_requested")
    assert stage.read(release).requested_by == "unknown"
    assert "two people must say yes" in stage.reason(release, "approval_requested")
    status, said = stage.answer(release, "approved", "platform-lead")
    assert (status, said["status"], said["left"]) == (200, "pending", 1)
    # However often one person says yes, it is one person.
    assert stage.answer(release, "approved", "platform-lead")[1]["status"] == "pending"
    assert stage.status(release) == "awaiting_approval"
    status, said = stage.answer(release, "approved", "product-lead")
    assert (status, said["status"]) == (200, "approved")
    assert stage.ends(release)["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.1.0")


def test_an_input_that_names_somebody_is_refused(stage: SimulatedStage) -> None:
    ended = stage.ends(unasked(stage, SERVICE, "1.1.0", "forged", requested_by="developer"))
    assert ended["error"] == "InvalidInput"
    assert "requested_by" in ended["cause"]


def test_what_somebody_asked_for_is_not_theirs_when_it_is_something_else(stage: SimulatedStage) -> None:
    """The name of what somebody asked for, started first with another image: nobody asked for that."""
    wanted = ReleaseRequest(SERVICE, stage.site.image(SERVICE, "1.1.0"), "trust me", label="1.1.0")
    asked = Asked(Requester("developer"), digest_of(wanted), stage.site.kernel.now())
    stage.site.stores.requesters.keep("release", "r-1", asked)
    stage.site.stores.requesters.keep("release", "r-2", asked)
    other = unasked(stage, SERVICE, "1.2.0", "r-1")
    stage.comes_to(other, "started")
    assert stage.read(other).requested_by == "unknown"
    stage.stop(other)
    stage.settled(SERVICE, "1.0.0")
    same = unasked(stage, SERVICE, "1.1.0", "r-2")
    stage.comes_to(same, "started")
    assert stage.read(same).requested_by == "developer"


def test_a_late_yes_to_an_earlier_question_is_refused(stage: SimulatedStage) -> None:
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "approval_requested")
    first = stage.site.stores.approvals.stored[release].question
    assert stage.site.answer(release, "approved", "platform-lead", first)[0] == 200
    stage.site.stores.approvals.stored[release] = msgspec.structs.replace(
        stage.site.stores.approvals.stored[release], question="the-next", status="pending", approvers=()
    )
    status, said = stage.site.answer(release, "approved", "product-lead", first)
    assert status == 400
    assert f"{first!r} is not the open question of release {release}" in said["message"]


def test_who_rolled_back_is_who_signed(stage: SimulatedStage) -> None:
    release = stage.start("website", "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    name = stage.roll_back("website", f"{release}-back")
    assert stage.ends(name, machine="Rollback")["status"] == "SUCCEEDED"
    assert [e.by for e in stage.site.entries(release) if e.kind == "rolling_back"] == ["platform-lead"]


def test_a_train_is_asked_for_once_and_its_releases_are_the_same_persons(stage: SimulatedStage) -> None:
    train = stage.start_train({"backend-api": "1.1.0", "website": "1.1.0"})
    assert stage.follow_train(train)["status"] == "SUCCEEDED"
    assert {stage.read(f"{train}-{s}").requested_by for s in ("backend-api", "website")} == {"developer"}
