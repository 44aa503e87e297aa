"""A rollback during every single step of a release ends on the good version, and the release never has the last word."""

from __future__ import annotations

import threading

import pytest

from candlefish.service.model import all_to
from tests.support.stage import Stage
from tests.support.waiting import rounds

SERVICE = "api-gateway"
# The function of each step, and which of its invocations in a release is interrupted.
STEPS = [
    ("begin-release", 0),
    ("next-step", 0),
    ("deploy-slot", 0),
    ("check-ready", 0),
    ("smoke-test", 0),
    ("scale-slot", 0),
    ("shift-weights", 0),
    ("run-analysis", 0),
    ("request-approval", 0),
    ("shift-weights", 1),
    ("run-analysis", 8),
    ("promote-release", 0),
]


@pytest.mark.parametrize(("function", "skip"), STEPS, ids=[f"{f}-{n}" for f, n in STEPS])
def test_rolled_back_while_a_step_is_running(stage: Stage, function: str, skip: int) -> None:
    before = stage.version(SERVICE)
    fault = stage.fault(
        boundary="function", service=f"*{function}", kind="latency", seconds=1.5, count=1, skip=skip
    )
    release = stage.start(SERVICE, "1.2.0", allow_bad=True)
    for _ in rounds(lambda: f"{function} was not called; {stage.kinds(release)}", every=0.02):
        if any(f.id == fault and f.hits for f in stage.world.faults.list()):
            break
        assert stage.status(release) != "refused", stage.reason(release, "refused")
        if stage.status(release) == "awaiting_approval":
            stage.answer(release, "approved", "platform-lead")
    generation = stage.records.get(SERVICE).generation
    name = f"{release}-by-hand"
    stage.roll_back(SERVICE, name)
    ended = stage.ends(name, machine="Rollback")
    if function == "begin-release" and ended["status"] == "FAILED":
        # Nothing had been taken yet: there was nothing to roll back, and the release goes on.
        assert ended["error"] == "NothingToRollBack"
        stage.comes_to(release, "started")
        second = f"{release}-again"
        stage.roll_back(SERVICE, second)
        ended = stage.ends(second, machine="Rollback")
    assert ended["status"] == "SUCCEEDED"
    assert stage.ends(release)["status"] in ("ABORTED", "FAILED")
    record = stage.settled(SERVICE, before)
    assert record.generation > generation
    assert stage.status(release) == "rolled_back"


def test_many_rollbacks_at_once_are_one(stage: Stage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0", allow_bad=True)
    stage.comes_to(release, "shifted")
    names = [f"{release}-storm-{n}" for n in range(6)]
    threads = [threading.Thread(target=stage.roll_back, args=(SERVICE, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        stage.ends(name, machine="Rollback")
    record = stage.settled(SERVICE, before)
    assert record.desired == all_to(record.stable or "blue")
    assert stage.kinds(release).count("rolling_back") == 1
