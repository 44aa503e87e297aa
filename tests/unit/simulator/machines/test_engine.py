"""Calls of the API, what is announced, what is remembered."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from lab.simulator.machines import Coverage, Refused
from tests.support.engines.day import day
from tests.support.engines.language import DONE, LONG, fail, states, task
from tests.support.engines.script import Script
from tests.support.engines.virtual import VirtualEngine

ARN = "arn:aws:states:us-west-2:123456789012:execution:m:x"
MACHINE = "arn:aws:states:us-west-2:123456789012:stateMachine:m"


def engine(definition: dict[str, Any], **answers: list[Any]) -> VirtualEngine:
    made = VirtualEngine(Script(answers))
    assert made.define("m", definition) == MACHINE
    return made


def test_the_beginning_and_the_end_are_events_of_the_default_bus() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    on = engine(states("T", T=task("f", Output={"a": 1}, End=True)), f=[{}])
    on.end(on.start(MACHINE, "x", {"in": "put"}))
    begun, ended = on.events
    assert begun == {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "account": "123456789012",
        "region": "us-west-2",
        "time": "2027-01-15T08:00:00Z",
        "resources": [ARN],
        "detail": {
            "executionArn": ARN,
            "stateMachineArn": MACHINE,
            "name": "x",
            "status": "RUNNING",
            "startDate": 1_800_000_000_000,
            "stopDate": None,
            "input": '{"in":"put"}',
            "output": None,
            "error": None,
            "cause": None,
        },
    }
    assert ended["detail"] == begun["detail"] | {
        "status": "SUCCEEDED",
        "stopDate": 1_800_000_000_100,
        "output": '{"a":1}',
    }


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_every_other_end_is_told_with_why(status: str) -> None:
    on = engine(
        states("F", F=fail("E", "why"))
        if status == "FAILED"
        else {**states("L", L=LONG), "TimeoutSeconds": 60}
    )
    on.start(MACHINE, "x")
    if status == "ABORTED":
        on.stop(ARN, "E", "why")
    on.end(ARN)
    detail = on.events[-1]["detail"]
    assert (detail["status"], detail["output"]) == (status, None)
    assert (detail["error"], detail["cause"]) == ((None, None) if status == "TIMED_OUT" else ("E", "why"))
    assert len(on.events) == 2


def test_who_is_told_finds_it_as_told() -> None:
    on = engine(states("S", S=DONE))
    seen: list[str] = []
    on.machines._announce = lambda event: seen.append(
        on.machines.describe(event["detail"]["executionArn"]).status
    )
    on.end(on.start(MACHINE, "x"))
    assert seen == ["RUNNING", "SUCCEEDED"]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "a#b", "a*", "x" * 81, "a\n", "a\x7f"])
def test_names_that_cannot_be(name: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    on = engine(states("S", S=DONE))
    with pytest.raises(Refused, match="InvalidName"):
        on.start(MACHINE, name)
    assert on.events == []


@pytest.mark.parametrize("name", ["x" * 80, "a.b_c-d+e=f@g", "émoi"])
def test_names_that_can_be(name: str) -> None:
    on = engine(states("S", S=DONE))
    assert on.start(MACHINE, name).endswith(f":{name}")


def test_a_name_can_be_used_again_after_ninety_days() -> None:
    """The same place: "unique for your account, Region, and state machine for 90 days"."""
    on = engine(states("S", S=DONE))
    on.end(on.start(MACHINE, "x"))
    on.kernel.run(on.kernel.now() + 90 * 86400 - 1)
    with pytest.raises(Refused, match="ExecutionAlreadyExists"):
        on.start(MACHINE, "x")
    on.kernel.run(on.kernel.now() + 2)
    assert on.end(on.start(MACHINE, "x")).status == "SUCCEEDED"
    assert len(on.machines.executions) == 2


def test_the_same_name_is_the_same_execution_while_it_runs_with_the_same_input() -> None:
    """The same place: idempotent for a running execution with the same name and input."""
    on = engine(states("L", L=LONG))
    assert on.start(MACHINE, "x", {"a": 1}) == on.start(MACHINE, "x", {"a": 1})
    for value in ({"a": 2}, {"a": True}):
        with pytest.raises(Refused, match="ExecutionAlreadyExists"):
            on.start(MACHINE, "x", value)
    assert len(on.events) == 1


def test_nothing_is_left_to_come_when_all_is_over() -> None:
    on = engine({**states("T", T=task("f", TimeoutSeconds=60, End=True)), "TimeoutSeconds": 600}, f=[{}])
    on.end(on.start(MACHINE, "x"))
    assert on.kernel.next_at() is None


def test_what_is_not_there_and_what_is_too_large() -> None:
    on = engine(states("S", S=DONE))
    for call, code in (
        (lambda: on.start(MACHINE + "x", "x"), "StateMachineDoesNotExist"),
        (lambda: on.start(MACHINE, "x", "y" * 262_144), "ValidationException"),
        (lambda: on.stop(ARN, "", ""), "ExecutionDoesNotExist"),
        (lambda: on.machines.describe(ARN), "ExecutionDoesNotExist"),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.code == code


def test_stopping_what_is_over_changes_nothing() -> None:
    on = engine(states("S", S=DONE))
    on.end(on.start(MACHINE, "x"))
    on.stop(ARN, "E", "why")
    assert on.end(ARN).status == "SUCCEEDED" and len(on.events) == 2


def test_an_execution_keeps_the_definition_that_it_began_with() -> None:
    wait = {"Type": "Wait", "Seconds": 10, "Next": "S"}
    on = engine(states("W", W=wait, S={"Type": "Succeed", "Output": "old"}))
    on.start(MACHINE, "x")
    on.kernel.run(on.kernel.now() + 5)
    on.define("m", states("S", S={"Type": "Succeed", "Output": "new"}))
    assert (on.end(ARN).output, on.end(on.start(MACHINE, "y")).output) == ("old", "new")


def test_its_history_and_what_was_covered() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "S"}]
    machine = states(
        "T",
        T=task(
            "f",
            TimeoutSeconds=5,
            Retry=[{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}],
            Catch=catch,
            Next="U",
        ),
        U=DONE,
        S=DONE,
    )
    on = VirtualEngine(Script({"f": [{}]}), seconds=10)
    on.end(on.start(on.define("m", machine), "x"))
    run = on.machines.describe(ARN)
    assert [(round(moment.time - run.start, 1), *moment[1:]) for moment in run.history] == [
        (0, "entered", "T", ""),
        (0, "called", "T", "f"),
        (5, "failed", "T", "States.Timeout"),
        (5, "retried", "T", 1),
        (6, "called", "T", "f"),
        (11, "failed", "T", "States.Timeout"),
        (11, "caught", "T", "S"),
        (11, "left", "T", "S"),
        (11, "entered", "S", ""),
        (11, "left", "S", ""),
        (11, "SUCCEEDED", "", ""),
    ]
    assert dict(on.machines.covered.states) == {("m", "T"): 1, ("m", "S"): 1}
    assert dict(on.machines.covered.transitions) == {("m", "T", "S"): 1}
    assert on.machines.machines[MACHINE].definition.transitions() == [("T", "U"), ("T", "S")]
    assert on.machines.covered.missing(on.machines.machines[MACHINE]) == (["U"], [("T", "U")])
    both = Coverage()
    both.add(on.machines.covered)
    both.add(on.machines.covered)
    assert both.states == {("m", "T"): 2, ("m", "S"): 2}


def test_the_same_seed_gives_the_same_bytes_under_any_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", "from tests.support.engines.day import day; print(day(7))"],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ".:layers/control_plane"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert found == {day(7) + "\n"}
    assert day(7) != day(8)
