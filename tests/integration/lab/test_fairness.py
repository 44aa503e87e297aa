"""A limit ends what hangs, and nothing that is only slow."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import fairness
from lab.functions import worker
from lab.functions.pool import Code, Functions, Spec

HANDLER = """
import time

def handler(event, context):
    time.sleep(event["sleep"])
    return "done"
"""


class Machine:
    """A machine on which waiting takes no time, and somebody waits for a processor for a share of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
        self.now, self.share, self.owed = 0.0, share, 0.0
        for module in (fairness, worker):
            monkeypatch.setattr(module, "stalled", lambda: self.owed)
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.owed += seconds * self.share
        return False


@pytest.mark.parametrize(("share", "lasts"), [(0.0, 20), (0.5, 40), (1.0, 200)])
def test_a_limit_counts_what_the_machine_had_to_spare(
    monkeypatch: pytest.MonkeyPatch, share: float, lasts: float
) -> None:
    machine = Machine(monkeypatch, share)
    assert not fairness.within(machine.wait, 20)
    assert machine.now == pytest.approx(lasts)


@pytest.mark.parametrize(("share", "lasts"), [(0.0, 20), (0.5, 40), (1.0, 200)])
def test_a_function_is_told_of_the_time_that_it_has(
    monkeypatch: pytest.MonkeyPatch, share: float, lasts: float
) -> None:
    """So what it does before its time is up it does on a busy machine, too; and it is never told of more."""
    machine = Machine(monkeypatch, share)
    for name in (
        "FUNCTION_NAME",
        "FUNCTION_VERSION",
        "FUNCTION_MEMORY_SIZE",
        "LOG_GROUP_NAME",
        "LOG_STREAM_NAME",
    ):
        monkeypatch.setenv(f"AWS_LAMBDA_{name}", "x")
    context = worker.Context({"request_id": "r", "arn": "a", "limit": 20, "least": fairness.LEAST})
    machine.wait(lasts * 0.8)
    assert context.get_remaining_time_in_millis() > 0
    machine.wait(lasts * 0.2)
    assert context.get_remaining_time_in_millis() == 0


def test_what_comes_in_time_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, 0.0)
    assert fairness.within(lambda seconds: machine.wait(seconds) or machine.now > 5, 20)
    assert machine.now < 7


def test_a_wait_that_the_machine_forgot_counts_as_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, 0.0)
    waits: list[float] = []

    def late(seconds: float) -> bool:
        waits.append(seconds)
        return machine.wait(seconds * 100)

    assert not fairness.within(late, 5)
    assert sum(waits) == pytest.approx(5)


@pytest.fixture
def handler(tmp_path: Path) -> Spec:
    (tmp_path / "app.py").write_text(HANDLER)
    return Spec(
        name="slow",
        arn="arn:aws:lambda:us-west-2:123456789012:function:slow",
        handler="app.handler",
        timeout=0.3,
        memory=128,
        region="us-west-2",
        environment={},
        code=Code(str(tmp_path)),
    )


@pytest.mark.parametrize(("busy", "error"), [(True, None), (False, "Unhandled")])
def test_a_function_on_a_busy_machine_has_the_time_that_the_machine_owes_it(
    tmp_path: Path, handler: Spec, monkeypatch: pytest.MonkeyPatch, busy: bool, error: str | None
) -> None:
    monkeypatch.setattr(fairness, "stalled", time.monotonic if busy else lambda: 0.0)
    functions = Functions(tmp_path)
    try:
        outcome = functions.invoke(handler, b'{"sleep": 1}')
        assert outcome.error == error
    finally:
        functions.close()
