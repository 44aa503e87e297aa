"""What people do to a release that runs: pause, resume, promote, abort; and freezes, on the whole product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.simulator.site import NotReached
from tests.support.scenario import SimulatedStage, simulated

SERVICE = "backend-api"
LEAD, DEVELOPER = "platform-lead", "developer"


@pytest.fixture
def stage() -> Iterator[SimulatedStage]:
    with simulated() as made:
        yield made


def steer(stage: SimulatedStage, action: str, release: str, person: str = LEAD) -> tuple[int, Any]:
    body = {"action": action, "release": release, "reason": "a scenario"}
    return stage.site.post("steer_release", body, person)


def freeze(stage: SimulatedStage, **body: Any) -> tuple[int, Any]:
    return stage.site.post("freeze", {"reason": "a scenario", **body}, DEVELOPER)


def weight(stage: SimulatedStage) -> int:
    """The candidate's, as the record wants it."""
    record = stage.site.record(SERVICE)
    return next((record.desired[slot] for slot in record.slots if record.slots[slot].state == "candidate"), 0)


def judged(stage: SimulatedStage) -> str:
    """A release whose canary has its first weight and is looked at."""
    stage.site.publish(SERVICE, "1.1.0")
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "shifted")
    return release


def test_a_paused_release_stays_where_it_is_and_goes_on_when_it_is_resumed(stage: SimulatedStage) -> None:
    release = judged(stage)
    at = weight(stage)
    assert 0 < at < 100
    status, said = steer(stage, "pause", release, DEVELOPER)
    assert (status, stage.status(release)) == (200, "held"), said
    stage.site.run(45 * 60.0)
    assert weight(stage) == at
    assert stage.site.execution(release).status == "RUNNING"  # type: ignore[union-attr]
    assert steer(stage, "resume", release, DEVELOPER)[0] == 200
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert stage.kinds(release).count("paused") == stage.kinds(release).count("resumed") == 1
    stage.settled(SERVICE, "1.1.0")


def test_a_pause_that_nobody_ends_becomes_a_question(stage: SimulatedStage) -> None:
    release = judged(stage)
    steer(stage, "pause", release, DEVELOPER)
    stage.comes_to(release, "approval_requested")
    assert "held for long" in stage.reason(release, "approval_requested")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"


def test_a_promotion_goes_to_all_traffic_without_the_steps_that_wait(stage: SimulatedStage) -> None:
    release = judged(stage)
    assert steer(stage, "promote", release, DEVELOPER)[0] == 403, "who asked for it is no second person"
    status, said = steer(stage, "promote", release)
    assert status == 200 and "judge" in said["skipped"], said
    began = stage.site.kernel.now()
    assert stage.ends(release)["status"] == "SUCCEEDED"
    assert stage.site.kernel.now() - began < 600.0
    kinds = stage.kinds(release)
    assert "approval_requested" not in kinds and "promoted" in kinds
    shifts = [each.reason.partition("%")[0] for each in stage.site.entries(release) if each.kind == "shifted"]
    assert shifts == ["10", "100"]
    assert stage.site.execution(f"{release}-watch", "watch"), "the rollback window is watched as ever"
    assert steer(stage, "promote", release)[0] == steer(stage, "pause", release)[0] == 409
    stage.settled(SERVICE, "1.1.0")


def test_a_promotion_answers_the_question_that_the_release_waits_in(stage: SimulatedStage) -> None:
    release = judged(stage)
    stage.comes_to(release, "approval_requested")
    assert steer(stage, "promote", release)[0] == 200
    assert stage.ends(release)["status"] == "SUCCEEDED"
    assert stage.kinds(release).count("approved") == 1


def test_an_abort_takes_all_traffic_back_and_remembers_nothing_bad(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = judged(stage)
    more = {"release": release, "disposition": "rejected", "only_running": True}
    name = stage.site.roll_back(SERVICE, by=DEVELOPER, **more)
    assert stage.ends(name, "Rollback")["status"] == "SUCCEEDED"
    assert stage.status(release) == "rolled_back"
    stage.settled(SERVICE, before)
    assert stage.site.record(SERVICE).bad == ()
    again = stage.start(SERVICE, "1.1.0")
    assert stage.approve_all(again)["status"] == "SUCCEEDED"
    with pytest.raises(NotReached, match="is over, it was promoted; nothing was changed"):
        stage.site.roll_back(SERVICE, by=DEVELOPER, **{**more, "release": again})
    stage.settled(SERVICE, "1.1.0")


def test_a_freeze_ends_what_nobody_has_seen_and_keeps_the_next_from_beginning(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    stage.site.publish(SERVICE, "1.1.0")
    release = stage.start(SERVICE, "1.1.0")
    stage.comes_to(release, "started")
    status, said = freeze(stage, until="2h")
    assert status == 200 and said["going_on"] == [release], said
    assert stage.ends(release)["error"] == "Frozen"
    assert "shifted" not in stage.kinds(release)
    stage.settled(SERVICE, before)
    refused = stage.start(SERVICE, "1.1.0")
    assert stage.ends(refused)["error"] == "Frozen"
    assert stage.status(refused) == "refused"
    mend = stage.start(SERVICE, "1.1.0", break_glass="this is the mend")
    assert stage.approve_all(mend)["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.1.0")
    back = stage.roll_back(SERVICE, "back")
    assert stage.ends(back, "Rollback")["status"] == "SUCCEEDED", "rollbacks are never frozen"


def test_what_users_see_already_goes_on_through_a_freeze(stage: SimulatedStage) -> None:
    release = judged(stage)
    assert freeze(stage, until="2h", service=SERVICE)[0] == 200
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.1.0")
