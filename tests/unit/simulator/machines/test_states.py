"""Wait, Map, Parallel and what expressions see."""

from __future__ import annotations

from typing import Any

import pytest

from lab.simulator.kernel import Kernel
from lab.simulator.machines.execution import iso
from tests.support.engines.language import DONE, fail, states, task
from tests.support.engines.script import Ended, Fails, Script
from tests.support.engines.virtual import VirtualEngine

START = Kernel().now()


def once(
    definition: dict[str, Any], value: Any = None, /, **answers: list[Any]
) -> tuple[Ended, VirtualEngine]:
    engine = VirtualEngine(Script(answers))
    return engine.end(engine.start(engine.define("m", definition), "x", value)), engine


def wait(**how: Any) -> dict[str, Any]:
    return states("W", W={"Type": "Wait", **how, "Next": "S"}, S=DONE)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ({"Seconds": 0}, 0),
        ({"Seconds": 30}, 30),
        ({"Seconds": "{% $states.input.n + 1 %}"}, 5),
        ({"Seconds": "{% 4.0 %}"}, 4),
        ({"Timestamp": iso(START + 60)}, 60),
        ({"Timestamp": "{% $fromMillis($millis() + 5000) %}"}, 5),
        ({"Timestamp": "2001-01-01T00:00:00Z"}, 0),
    ],
)
def test_a_wait_takes_its_time(how: dict[str, Any], seconds: float) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html: from 0; a moment that is over is now."""
    ended, engine = once(wait(**how), {"n": 4})
    assert ended == Ended("SUCCEEDED", {"n": 4})
    assert engine.kernel.now() - START == pytest.approx(seconds)


@pytest.mark.parametrize(
    "how",
    [
        {"Seconds": "{% 0.5 %}"},
        {"Seconds": "{% -1 %}"},
        {"Timestamp": "{% 'soon' %}"},
        {"Seconds": "{% true %}"},
    ],
)
def test_a_wait_that_cannot_be_is_an_error(how: dict[str, Any]) -> None:
    """The same place: a whole number of seconds, ISO 8601."""
    assert once(wait(**how))[0].error == "States.QueryEvaluationError"


def test_the_clock_and_chance_are_the_simulators() -> None:
    output = {
        "now": "{% $now() %}",
        "millis": "{% $millis() %}",
        "id": "{% $uuid() %}",
        "n": "{% $random() %}",
        "seeded": "{% $random(7) %}",
    }
    machine = states(
        "W", W={"Type": "Wait", "Seconds": 90, "Next": "S"}, S={"Type": "Succeed", "Output": output}
    )
    found = once(machine)[0].output
    assert (found["now"], found["millis"]) == (iso(START + 90), (START + 90) * 1000)
    assert found == once(machine)[0].output
    other = VirtualEngine(Script({}), seed=1)
    another = other.end(other.start(other.define("m", machine), "x")).output
    assert (
        found["id"] != another["id"] and found["n"] != another["n"] and found["seeded"] == another["seeded"]
    )


def test_the_context_tells_where_one_is() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html"""
    machine = wait(Seconds=3)
    machine["States"]["S"] = {"Type": "Succeed", "Output": "{% $states.context %}"}
    found = once(machine, {"a": 1})[0].output
    assert found["Execution"] == {
        "Id": "arn:aws:states:us-west-2:123456789012:execution:m:x",
        "Input": {"a": 1},
        "Name": "x",
        "RoleArn": "arn:aws:iam::123456789012:role/states",
        "StartTime": iso(START),
    }
    assert found["State"] == {"EnteredTime": iso(START + 3), "Name": "S", "RetryCount": 0}
    assert found["StateMachine"] == {
        "Id": "arn:aws:states:us-west-2:123456789012:stateMachine:m",
        "Name": "m",
    }
    assert "Task" not in found and "Map" not in found


def mapped(items: Any, inner: dict[str, Any], **more: Any) -> dict[str, Any]:
    return states("M", M={"Type": "Map", "Items": items, "ItemProcessor": inner, **more, "End": True})


def slowly(payload: Any) -> Any:
    return payload


TASK = states("T", T=task("f", "{% $states.input %}", Output="{% $states.result.Payload %}", End=True))


@pytest.mark.parametrize(("at_once", "seconds"), [(1, 0.5), (2, 0.3), (5, 0.1), (0, 0.1), ("{% 2 %}", 0.3)])
def test_a_map_runs_so_many_at_once(at_once: Any, seconds: float) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map.html: 0 is as many as there may be."""
    ended, engine = once(mapped([1, 2, 3, 4, 5], TASK, MaxConcurrency=at_once), f=[slowly])
    assert ended.output == [1, 2, 3, 4, 5]
    assert engine.kernel.now() - START == pytest.approx(seconds)


@pytest.mark.parametrize("more", [{}, {"MaxConcurrency": 100}])
def test_an_inline_map_runs_forty_at_once(more: dict[str, Any]) -> None:
    """The same place: inline maps run up to 40 iterations at once."""
    ended, engine = once(mapped(list(range(41)), TASK, **more), f=[slowly])
    assert ended.output == list(range(41))
    assert engine.kernel.now() - START == pytest.approx(0.2)


def test_a_map_of_nothing_gives_nothing() -> None:
    ended, engine = once(mapped([], TASK, MaxConcurrency=3), f=[])
    assert (ended, engine.script.calls) == (Ended("SUCCEEDED", []), [])


def test_items_must_be_an_array() -> None:
    assert once(mapped("{% 'three' %}", TASK), f=[])[0].error == "States.QueryEvaluationError"


@pytest.mark.parametrize("at_once", [1, 3])
def test_an_item_that_fails_ends_the_others(at_once: int) -> None:
    """ "If any iteration fails ... the entire Map state fails, and the iterations are stopped.\""""
    inner = states(
        "T",
        T=task("f", "{% $states.input %}", Next="W"),
        W={"Type": "Wait", "Seconds": 60, "Next": "U"},
        U=task("g", "{% $states.input %}", End=True),
    )
    ended, engine = once(
        mapped([1, 2, 3], inner, MaxConcurrency=at_once), f=[Fails("Broken"), {}, {}], g=[{}]
    )
    assert ended.error == "Broken"
    engine.kernel.run(engine.kernel.now() + 1000)
    assert {name for name, _ in engine.script.calls} == {"f"}
    assert len(engine.script.calls) == at_once


def test_inner_states_see_outer_variables_and_keep_their_own() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html: variable scope."""
    inner = states(
        "P",
        P={"Type": "Pass", "Assign": {"own": "{% $outer + $states.input %}"}, "Next": "S"},
        S={"Type": "Succeed", "Output": "{% $own %}"},
    )
    after = {"Type": "Succeed", "Output": {"result": "{% $states.input %}", "leaks": "{% $exists($own) %}"}}
    machine = states(
        "P0",
        P0={"Type": "Pass", "Assign": {"outer": 10}, "Next": "M"},
        M={"Type": "Map", "Items": [1, 2], "ItemProcessor": inner, "Next": "S0"},
        S0=after,
    )
    assert once(machine)[0].output == {"result": [11, 12], "leaks": False}


def test_a_map_inside_a_map() -> None:
    inner = {
        "Type": "Map",
        "Items": "{% $states.input %}",
        "ItemProcessor": states(
            "S", S={"Type": "Succeed", "Output": "{% $states.context.Map.Item.Value * 2 %}"}
        ),
        "End": True,
    }
    assert once(mapped([[1, 2], [3]], states("I", I=inner)))[0].output == [[2, 4], [6]]


def test_a_parallel_hands_its_arguments_to_every_branch() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-parallel.html"""
    branches = [
        states("A", A=DONE),
        states("B", B={"Type": "Succeed", "Output": "{% $states.input.n + 1 %}"}),
    ]
    parallel = {
        "Type": "Parallel",
        "Arguments": {"n": "{% $states.input.m %}"},
        "Branches": branches,
        "End": True,
    }
    assert once(states("P", P=parallel), {"m": 1})[0].output == [{"n": 1}, 2]


def test_a_fail_without_words() -> None:
    assert once(states("F", F={"Type": "Fail"}))[0] == Ended("FAILED")
    assert once(states("F", F=fail("{% 7 %}")))[0].error == "States.QueryEvaluationError"
