"""Functions are called as Lambda calls them: with a time limit, so many at once, and events again when they fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from candlefish.errors import ServiceBusy
from lab.simulator.boundary import Boundary
from lab.simulator.functions import Lambdas
from lab.simulator.kernel import Kernel
from lab.simulator.machines import FunctionError
from lab.simulator.template import Function, Queue, Stack

ARN = "arn:aws:lambda:us-west-2:333333333333:function:candlefish-production-work"
QUEUE = Queue("signals", "arn:aws:sqs:us-west-2:333333333333:signals", 60, 3, ARN, 5, 2)


class Code:
    """`functions.Code` with one handler of a test's own."""

    def __init__(self, handler: Any) -> None:
        self.boundary = Boundary()
        self.handlers = {ARN: handler}


class Scene:
    def __init__(self, handler: Any, **more: Any) -> None:
        self.kernel = Kernel(1)
        function = Function("work", ARN, more.pop("timeout", 20.0), {}, **more)
        stack = Stack("production", "us-west-2", "333333333333", "bus", {ARN: function}, {}, (), (), QUEUE)
        self.lost: list[tuple[str, Any]] = []
        self.lambdas = Lambdas(
            self.kernel,
            stack,
            Code(handler),  # type: ignore[arg-type]
            lambda name, event: self.lost.append((name, event)),
        )


def test_an_answer_and_an_event_are_copies() -> None:
    event = {"list": [1]}

    def handler(event: Any, context: Any) -> Any:
        event["list"].append(2)
        return event

    scene = Scene(handler)
    assert scene.lambdas.call(ARN, event) == {"list": [1, 2]}
    assert event == {"list": [1]}
    assert scene.lambdas.call("candlefish-production-work", event) == {"list": [1, 2]}


def test_what_a_handler_raises_has_its_class_name_and_its_words() -> None:
    def handler(event: Any, context: Any) -> Any:
        raise ServiceBusy("website is held")

    with pytest.raises(FunctionError) as caught:
        Scene(handler).lambdas.call(ARN, {})
    assert caught.value.error == "ServiceBusy"
    assert json.loads(caught.value.cause)["errorMessage"] == "website is held"


def test_whoever_takes_too_long_is_killed_where_it_stands() -> None:
    did: list[str] = []

    def handler(event: Any, context: Any) -> Any:
        did.append("began")
        scene.kernel.sleep(30)
        did.append("ended")

    scene = Scene(handler, timeout=20.0)
    with pytest.raises(FunctionError, match=r"Sandbox.Timedout.*timed out after 20.00 seconds"):
        scene.lambdas.call(ARN, {})
    scene.kernel.run(scene.kernel.now() + 100)
    assert did == ["began"]
    assert not scene.lambdas.busy


def test_more_at_once_than_are_reserved_are_too_many() -> None:
    def handler(event: Any, context: Any) -> Any:
        scene.kernel.sleep(5)

    scene = Scene(handler, concurrency=1)
    scene.kernel.spawn(lambda: scene.lambdas.call(ARN, {}), "first")
    scene.kernel.run(scene.kernel.now() + 1)
    with pytest.raises(FunctionError, match="TooManyRequests"):
        scene.lambdas.call(ARN, {})
    scene.kernel.run(scene.kernel.now() + 10)
    scene.lambdas.call(ARN, {})


@pytest.mark.parametrize(("failures", "calls", "lost"), [(1, 2, 0), (2, 3, 0), (9, 3, 1)])
def test_an_event_is_tried_again_twice_and_then_lost(failures: int, calls: int, lost: int) -> None:
    times: list[float] = []

    def handler(event: Any, context: Any) -> Any:
        times.append(scene.kernel.now() - began)
        if len(times) <= failures:
            raise ValueError("not now")

    scene = Scene(handler)
    began = scene.kernel.now()
    scene.lambdas.queue(ARN, {"name": "x"})
    scene.kernel.run(began + 1000)
    assert [round(each) for each in times] == [0, 60, 180][:calls]
    assert scene.lost == [("work", {"name": "x"})] * lost


def test_an_event_that_has_grown_too_old_is_not_tried_again() -> None:
    def handler(event: Any, context: Any) -> Any:
        raise ValueError("not now")

    scene = Scene(handler, event_age=100.0)
    heard: list[str] = []
    scene.lambdas.watchers.append(lambda name, event, answer, error: heard.append(error))
    scene.lambdas.queue(ARN, {})
    scene.kernel.run(scene.kernel.now() + 1000)
    assert heard == ["ValueError", "ValueError"]
    assert len(scene.lost) == 1
