"""A rollback during every single step of a release ends on the good version, and the release never has the last word."""

from __future__ import annotations

import pytest

from candlefish.service.model import all_to
from lab.simulator.site import NotReached
from tests.support.scenario import SimulatedStage

SERVICE = "api-gateway"
# The function of each step, and which of its invocations in a release is interrupted.
STEPS = [
    ("begin_release", 0),
    ("next_step", 0),
    ("deploy_slot", 0),
    ("check_ready", 0),
    ("smoke_test", 0),
    ("scale_slot", 0),
    ("shift_weights", 0),
    ("run_analysis", 0),
    ("request_approval", 0),
    ("shift_weights", 1),
    ("run_analysis", 8),
    ("promote_release", 0),
]


@pytest.mark.parametrize(("function", "skip"), STEPS, ids=[f"{f}-{n}" for f, n in STEPS])
def test_rolled_back_while_a_step_is_running(stage: SimulatedStage, function: str, skip: int) -> None:
    before = stage.version(SERVICE)
    slow = stage.strike("slow", "records", function=function, seconds=8.0, skip=skip * 2)
    release = stage.start(SERVICE, "1.2.0", allow_bad=True)
    questions = 0

    def interrupted() -> bool:
        nonlocal questions
        asked = stage.kinds(release).count("approval_requested")
        if asked > questions and not slow.met:
            questions = asked
            stage.site.kernel.later(1, lambda: stage.site.kernel.spawn(approve, "approve"))
        return bool(slow.met)

    def approve() -> None:
        stage.answer(release, "approved", "platform-lead")

    stage.site.until(interrupted, f"a call of {function}")
    generation = stage.records.get(SERVICE).generation
    if function == "begin_release":
        # Nothing had been taken yet: there is nothing to roll back, which is said at once, and the release goes on.
        with pytest.raises(NotReached, match="NothingToRollBack"):
            stage.roll_back(SERVICE, f"{release}-too-early")
        stage.comes_to(release, "started")
    name = stage.roll_back(SERVICE, f"{release}-by-hand")
    ended = stage.ends(name, machine="Rollback")
    assert ended["status"] == "SUCCEEDED"
    assert stage.ends(release)["status"] in ("ABORTED", "FAILED")
    record = stage.settled(SERVICE, before)
    assert record.generation > generation
    assert stage.status(release) == "rolled_back"


def test_many_rollbacks_at_once_are_one(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0", allow_bad=True)
    stage.comes_to(release, "shifted")
    names = [stage.roll_back(SERVICE, f"{release}-storm-{n}") for n in range(6)]
    for name in names:
        stage.ends(name, machine="Rollback")
    record = stage.settled(SERVICE, before)
    assert record.desired == all_to(record.stable)
    assert stage.kinds(release).count("rolling_back") == 1
