"""Waiting for a lab costs it little, however slow it is."""

from __future__ import annotations

import pytest

from lab import looks as module
from lab.looks import looks


class Clock:
    """Time passes where somebody sleeps or looks."""

    def __init__(self) -> None:
        self.now = 0.0
        # So much of the time somebody waits for a processor.
        self.busy = 0.0

    def stalled(self) -> float:
        return self.now * self.busy

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(module, "stalled", made.stalled)
    return made


def test_quick_looks_come_as_often_as_asked_for(clock: Clock) -> None:
    assert sum(1 for _ in looks(10.0, every=0.5)) == 20
    assert clock.now == pytest.approx(10.0)


@pytest.mark.parametrize("took", [0.3, 2.0])
def test_slow_looks_take_a_fifth_of_the_time(clock: Clock, took: float) -> None:
    looking = 0.0
    for _ in looks(100.0, every=0.1):
        clock.sleep(took)
        looking += took
    assert looking / clock.now == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("busy", "lasts"), [(0.5, 10 / 0.55), (1.0, 100.0)])
def test_what_the_machine_is_late_by_counts_a_tenth(clock: Clock, busy: float, lasts: float) -> None:
    clock.busy = busy
    for _ in looks(10.0, every=0.5):
        pass
    assert clock.now == pytest.approx(lasts, abs=0.5)


def test_there_is_one_look_at_least_and_no_rest_once_the_caller_left(clock: Clock) -> None:
    seen = 0
    for _ in looks(0.001):
        seen += 1
        break
    assert (seen, clock.now) == (1, 0.0)
