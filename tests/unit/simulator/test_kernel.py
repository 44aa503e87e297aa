"""Virtual time: tasks take turns, time passes only in sleep, and the same seed does the same."""

from __future__ import annotations

import pytest

from lab.simulator.kernel import Kernel, Killed, Late, Promise, Stuck

START = 1000.0


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(seed=1, start=START)


def test_tasks_take_turns_where_they_sleep(kernel: Kernel) -> None:
    said: list[str] = []

    def speak(name: str, pause: float) -> None:
        for number in range(3):
            said.append(f"{name}{number}@{kernel.now() - START:g}")
            kernel.sleep(pause)

    kernel.spawn(lambda: speak("a", 2), "a")
    kernel.spawn(lambda: speak("b", 3), "b")
    kernel.run(START + 10)
    assert said == ["a0@0", "b0@0", "a1@2", "b1@3", "a2@4", "b2@6"]
    assert kernel.now() == START + 10


def test_a_task_is_the_promise_of_what_it_returns(kernel: Kernel) -> None:
    def work() -> str:
        kernel.sleep(5)
        return "done"

    assert kernel.wait(kernel.spawn(work, "work")) == "done"
    assert kernel.now() == START + 5


def test_what_a_task_raises_whoever_waits_gets(kernel: Kernel) -> None:
    def fail() -> None:
        kernel.sleep(1)
        raise ValueError("no")

    task = kernel.spawn(fail, "fail")
    caught: list[str] = []

    def waits() -> None:
        try:
            kernel.wait(task)
        except ValueError as error:
            caught.append(str(error))

    kernel.spawn(waits, "waits")
    kernel.run(START + 2)
    assert caught == ["no"]
    with pytest.raises(ValueError, match="no"):
        kernel.wait(task)


@pytest.mark.parametrize("in_task", [True, False])
def test_waiting_has_an_end(kernel: Kernel, in_task: bool) -> None:
    never: Promise[int] = Promise()
    kernel.later(100, lambda: None)

    def wait() -> str:
        try:
            kernel.wait(never, timeout=3)
        except Late:
            return f"late at {kernel.now() - START:g}"
        return "kept"

    assert (kernel.wait(kernel.spawn(wait, "wait")) if in_task else wait()) == "late at 3"


def test_a_promise_that_is_kept_in_time_is_not_late(kernel: Kernel) -> None:
    promise: Promise[int] = Promise()
    kernel.later(2, lambda: promise.keep(7))
    assert kernel.wait(kernel.spawn(lambda: kernel.wait(promise, timeout=3), "wait")) == 7
    promise.keep(8)
    promise.fail(ValueError())
    assert promise.result() == 7


def test_what_can_never_come_is_said(kernel: Kernel) -> None:
    with pytest.raises(Stuck):
        kernel.wait(Promise[int]())


def test_a_killed_task_does_nothing_more(kernel: Kernel) -> None:
    did: list[str] = []

    def live() -> None:
        try:
            kernel.sleep(2)
            did.append("lived on")
        except Exception:  # noqa: BLE001 - what a handler writes
            did.append("caught")
        finally:
            did.append("unwound")
            kernel.sleep(5)
            did.append("slept on")

    task = kernel.spawn(live, "live")
    kernel.later(1, task.kill)
    kernel.run(START + 30)
    assert did == ["unwound"]
    assert isinstance(task.error, Killed)


def test_a_task_that_was_killed_before_it_began_never_does(kernel: Kernel) -> None:
    did: list[str] = []
    kernel.spawn(lambda: did.append("began"), "begins").kill()
    kernel.run(START + 1)
    assert did == []


def test_what_is_due_together_comes_in_the_order_in_which_it_was_asked_for(kernel: Kernel) -> None:
    did: list[int] = []
    for number in range(5):
        kernel.later(1, lambda number=number: did.append(number))  # type: ignore[misc]
    kernel.later(1, lambda: did.append(9)).cancel()
    kernel.run(START + 1)
    assert did == [0, 1, 2, 3, 4]


def test_something_comes_again_and_again(kernel: Kernel) -> None:
    times: list[float] = []
    kernel.every(10, lambda: times.append(kernel.now() - START))
    kernel.run(START + 35)
    assert times == [10, 20, 30]


def test_chance_of_one_purpose_moves_nothing_of_another() -> None:
    one, two = Kernel(seed=7), Kernel(seed=7)
    first = [one.chance("latency").random() for _ in range(3)]
    two.chance("weather").random()
    assert [two.chance("latency").random() for _ in range(3)] == first
    assert [Kernel(seed=8).chance("latency").random() for _ in range(3)] != first


def test_watchers_hear_of_each_event(kernel: Kernel) -> None:
    heard: list[str] = []
    kernel.watchers.append(heard.append)
    kernel.later(1, lambda: None, "one")
    kernel.later(2, lambda: None, "two")
    kernel.run(START + 3)
    assert heard == ["one", "two"]
