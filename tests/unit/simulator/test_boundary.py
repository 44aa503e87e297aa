"""Each call of a port takes time and meets the weather; outside of a function it is a plain call."""

from __future__ import annotations

from typing import Any

import pytest

from candlefish.errors import Throttled, Unavailable
from lab.simulator.boundary import Boundary, Invocation
from lab.simulator.kernel import Kernel, Killed
from lab.simulator.weather import Forecast, Strike


class Store:
    def __init__(self) -> None:
        self.value = 0

    def add(self, number: int, *, twice: bool = False) -> int:
        self.value += number * (2 if twice else 1)
        return self.value


class Scene:
    def __init__(self) -> None:
        self.kernel, self.store = Kernel(5), Store()
        self.forecast = Forecast(self.kernel)
        self.boundary = Boundary()
        self.boundary.bind(self.kernel, {"store": self.store}, self.forecast)
        self.port: Any = self.boundary.port("store")

    def run(self, body: Any, time: float = 60.0) -> Invocation:
        task = Invocation(self.kernel, body, "function")
        task.function, task.deadline = "shift_weights", self.kernel.now() + time
        self.kernel.later(0, task.resume)
        self.kernel.run(self.kernel.now() + 300)
        return task


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_call_takes_time_before_and_after_its_effect(scene: Scene) -> None:
    began = scene.kernel.now()
    seen: list[tuple[float, int]] = []
    scene.kernel.watchers.append(lambda name: seen.append((scene.kernel.now() - began, scene.store.value)))
    ended: list[float] = []

    def body() -> int:
        answer: int = scene.port.add(3, twice=True)
        ended.append(scene.kernel.now() - began)
        return answer

    assert scene.run(body).result() == 6
    effect = min(at for at, value in seen if value == 6)
    assert 0 < effect < ended[0]


def test_outside_of_a_function_a_call_is_a_call(scene: Scene) -> None:
    scene.forecast.strike(Strike("refused", "store", count=9))
    assert scene.port.add(1) == 1


@pytest.mark.parametrize(
    ("kind", "error", "value"),
    [("throttled", Throttled, 0), ("refused", Unavailable, 0), ("lost", Unavailable, 1)],
)
def test_a_call_that_goes_wrong_has_its_effect_or_not(
    scene: Scene, kind: Any, error: type[Exception], value: int
) -> None:
    scene.forecast.strike(Strike(kind, "store"))
    task = scene.run(lambda: scene.port.add(1))
    assert isinstance(task.error, error)
    assert scene.store.value == value


def test_a_late_effect_comes_when_nobody_waits_any_more_and_before_the_functions_time_is_up(
    scene: Scene,
) -> None:
    scene.forecast.strike(Strike("late", "store", seconds=500.0))
    began = scene.kernel.now()
    landed: list[float] = []
    scene.boundary.watchers.append(lambda *call: landed.append(scene.kernel.now() - began))
    task = scene.run(lambda: scene.port.add(1), time=20.0)
    assert isinstance(task.error, Unavailable)
    assert landed == [20.0]
    assert scene.store.value == 1


@pytest.mark.parametrize(("kind", "value"), [("dies_before", 0), ("dies_after", 1)])
def test_a_process_dies_around_a_call(scene: Scene, kind: Any, value: int) -> None:
    scene.forecast.strike(Strike(kind, "store"))

    def body() -> None:
        try:
            scene.port.add(1)
        except Exception:  # noqa: BLE001 - a handler that catches everything
            scene.store.value = 99

    task = scene.run(body)
    assert task.died and isinstance(task.error, Killed)
    assert scene.store.value == value


def test_a_strike_meets_the_calls_that_fit_as_often_as_it_says(scene: Scene) -> None:
    strike = scene.forecast.strike(Strike("throttled", "store", "add", "shift_weights", count=2, skip=1))

    def body() -> list[str]:
        said = []
        for _ in range(5):
            try:
                said.append(str(scene.port.add(1)))
            except Throttled:
                said.append("no")
        return said

    assert scene.run(body).result() == ["1", "no", "no", "2", "3"]
    assert strike.met == 2


def test_inside_of_a_port_others_go_on(scene: Scene) -> None:
    order: list[str] = []

    def body() -> None:
        order.append("read")
        scene.boundary.give_way()
        order.append("write")

    scene.kernel.later(0.001, lambda: order.append("another"))
    scene.run(body)
    assert order == ["read", "another", "write"]
    scene.boundary.give_way()
