"""What is under way arrives late, twice, again, or in the dead letters; patterns match as EventBridge's do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lab.simulator.delivery import Delivery, Messages, matches
from lab.simulator.kernel import Kernel
from lab.simulator.machines import FunctionError
from lab.simulator.template import Function, Queue, Rule, Schedule, Stack, Way

HANDLER = "arn:aws:lambda:us-west-2:333333333333:function:handle"
QUEUE = "arn:aws:sqs:us-west-2:333333333333:signals"
BUS = "arn:aws:events:us-west-2:333333333333:Bus"


class Calls:
    """`functions.Lambdas` as far as deliveries go: a handler of a test's own."""

    def __init__(self, handle: Callable[[Any], Any] = lambda event: {"batchItemFailures": []}) -> None:
        self.handle = handle
        self.got: list[Any] = []

    def call(self, arn: str, event: Any) -> Any:
        self.got.append(event)
        return self.handle(event)

    def queue(self, arn: str, event: Any) -> None:
        self.got.append(event)


class Post:
    """Weather of a test's own."""

    def __init__(self) -> None:
        self.late, self.times, self.refused = 0.0, 1, 0

    def delay(self, what: str) -> float:
        return self.late

    def copies(self, what: str) -> int:
        return self.times

    def refuses(self, what: str) -> bool:
        self.refused -= 1
        return self.refused >= 0


class Scene:
    def __init__(self, *rules: Rule, schedules: tuple[Schedule, ...] = ()) -> None:
        self.kernel, self.post, self.calls = Kernel(3), Post(), Calls()
        queue = Queue("signals", QUEUE, visibility=60, receives=3, consumer=HANDLER, batch=5, concurrency=2)
        functions = {HANDLER: Function("handle", HANDLER, 50, {})}
        stack = Stack("production", "us-west-2", "333333333333", BUS, functions, {}, rules, schedules, queue)
        self.lost: list[tuple[str, Any]] = []
        self.queue = Messages(
            self.kernel,
            queue,
            self.post,
            self.calls,  # type: ignore[arg-type]
            lambda source, body: self.lost.append((source, body)),
        )
        self.delivery = Delivery(
            self.kernel,
            stack,
            self.post,
            self.calls,  # type: ignore[arg-type]
            self.queue,
            lambda machine, name, event: None,
        )


def rule(pattern: dict[str, Any], target: str = HANDLER, **way: Any) -> Rule:
    return Rule("rule", BUS, pattern, Way(target, **way))


def test_an_event_reaches_the_targets_whose_patterns_it_matches() -> None:
    scene = Scene(rule({"detail-type": ["release.promoted"]}), rule({"detail-type": ["finding"]}))
    scene.delivery.publish("release.promoted", {"release": "r1"})
    scene.kernel.run(scene.kernel.now() + 30)
    (event,) = scene.calls.got
    assert event["source"] == "candlefish.control-plane"
    assert event["detail"] == {"release": "r1"}


def test_events_come_twice_and_late_when_the_weather_is_so() -> None:
    scene = Scene(rule({"source": ["candlefish.control-plane"]}))
    scene.post.times, scene.post.late = 2, 100.0
    scene.delivery.publish("finding", {})
    scene.kernel.run(scene.kernel.now() + 99)
    assert scene.calls.got == []
    scene.kernel.run(scene.kernel.now() + 60)
    assert len(scene.calls.got) == 2


@pytest.mark.parametrize(("refused", "arrives"), [(2, True), (3, False)])
def test_a_target_that_refuses_is_tried_again_as_often_as_the_rule_says(refused: int, arrives: bool) -> None:
    scene = Scene(rule({"source": ["candlefish.control-plane"]}, retries=2))
    scene.post.refused = refused
    scene.delivery.publish("finding", {"name": "x"})
    scene.kernel.run(scene.kernel.now() + 900)
    assert bool(scene.calls.got) is arrives
    assert [letter.body["detail"] for letter in scene.delivery.dead_letters] == (
        [] if arrives else [{"name": "x"}]
    )


def test_what_is_too_old_is_not_tried_again() -> None:
    scene = Scene(rule({"source": ["candlefish.control-plane"]}, event_age=3.0))
    scene.post.refused = 2
    scene.delivery.publish("finding", {})
    scene.kernel.run(scene.kernel.now() + 900)
    assert scene.calls.got == []
    assert len(scene.delivery.dead_letters) == 1


def test_a_rate_fires_for_ever_and_says_what_its_rule_says() -> None:
    scene = Scene(schedules=(Schedule("Look", "rate(1 minute)", '{"repeat": true}', Way(HANDLER)),))
    scene.delivery.start_schedules()
    scene.kernel.run(scene.kernel.now() + 600)
    assert len(scene.calls.got) in (9, 10)
    assert scene.calls.got[0] == {"repeat": True}


def test_a_queue_hands_out_batches_and_takes_back_what_failed_until_it_was_received_often_enough() -> None:
    scene = Scene()
    scene.calls.handle = lambda event: {
        "batchItemFailures": [
            {"itemIdentifier": each["messageId"]} for each in event["Records"] if each["body"] == '"bad"'
        ]
    }
    scene.queue.send([json.dumps(body).encode() for body in ("good", "bad", "fine")])
    scene.kernel.run(scene.kernel.now() + 400)
    handled = [record["body"] for event in scene.calls.got for record in event["Records"]]
    assert sorted(handled) == ['"bad"', '"bad"', '"bad"', '"fine"', '"good"']
    assert scene.lost == [("signals", "bad")]
    assert scene.queue.left == 0


def test_a_batch_whose_function_died_comes_back_whole() -> None:
    scene = Scene()
    failures = [FunctionError("Sandbox.Timedout", "{}")]

    def handle(event: Any) -> Any:
        if failures:
            raise failures.pop()
        return {"batchItemFailures": []}

    scene.calls.handle = handle
    scene.queue.send([b'"once"'])
    scene.kernel.run(scene.kernel.now() + 200)
    assert [each["Records"][0]["body"] for each in scene.calls.got] == ['"once"', '"once"']
    assert scene.lost == []


EVENT = {"source": "aws.states", "detail": {"status": "FAILED", "name": "candlefish-x"}}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({}, True),
        ({"source": ["aws.states", "aws.events"]}, True),
        ({"source": ["aws.events"]}, False),
        ({"detail": {"status": ["FAILED", "ABORTED"]}}, True),
        ({"detail": {"missing": ["x"]}}, False),
        ({"detail": {"name": [{"prefix": "candlefish-"}]}}, True),
        ({"detail": {"name": [{"prefix": "other-"}]}}, False),
        ({"detail": {"status": [{"anything-but": ["FAILED"]}]}}, False),
        ({"detail": {"status": [{"anything-but": "ABORTED"}]}}, True),
    ],
)
def test_patterns(pattern: Any, fits: bool) -> None:
    assert matches(pattern, EVENT) is fits


def test_a_form_of_patterns_that_is_not_known_is_no_guess() -> None:
    with pytest.raises(NotImplementedError, match="suffix"):
        matches({"source": [{"suffix": "states"}]}, EVENT)
