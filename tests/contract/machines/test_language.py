"""States Language: the interpreter in virtual time does what moto's engine does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.simulator.machines import Refused
from tests.support.engines.both import on_both
from tests.support.engines.language import START, states, task, waiting
from tests.support.engines.script import Ended, Engine, Fails, Summary


def once(definition: dict[str, Any], value: Any = None, /, **answers: list[Any]) -> Summary:
    """Run a machine once on both engines; the execution is called `x`."""

    def play(engine: Engine) -> None:
        engine.end(engine.start(engine.define("m", definition), "x", value))

    return on_both(answers, play)


def test_variables_are_values_not_text() -> None:
    keep = {"text": "{% $states.input.text %}", "none": "{% $states.input.none %}"}
    use = {
        "text": "{% $text & '!' %}",
        "none": "{% $none = null %}",
        "rest": "{% $partition([1,2,3], 2) %}",
        "plain": [1, {"a": "{% $text %}"}],
    }
    machine = states(
        "Keep", Keep={"Type": "Pass", "Assign": keep, "Next": "Use"}, Use={"Type": "Succeed", "Output": use}
    )
    ended = once(machine, {"text": 'say "hi" \\ $x', "none": None}).ended["x"]
    text = 'say "hi" \\ $x'
    assert ended.output == {
        "text": f"{text}!",
        "none": True,
        "rest": [[1, 2], [3]],
        "plain": [1, {"a": text}],
    }


def test_a_choice_assigns_by_the_rule_that_matched() -> None:
    choose = {
        "Type": "Choice",
        "Choices": [
            {
                "Condition": "{% $states.input.n > 1 %}",
                "Assign": {"how": "rule"},
                "Output": {"n": "many"},
                "Next": "S",
            }
        ],
        "Default": "S",
    }
    machine = states(
        "P",
        P={"Type": "Pass", "Assign": {"how": "default"}, "Next": "C"},
        C=choose,
        S={"Type": "Succeed", "Output": "{% [$how, $states.input.n] %}"},
    )
    assert once(machine, {"n": 2}).ended["x"].output == ["rule", "many"]
    assert once(machine, {"n": 1}).ended["x"].output == ["default", 1]


def test_retriers_count_for_themselves_and_grow_to_their_most() -> None:
    retry = [
        {"ErrorEquals": ["A", "B"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 3},
        {"ErrorEquals": ["C"], "IntervalSeconds": 5, "BackoffRate": 10, "MaxDelaySeconds": 40},
    ]
    machine = states(
        "T", T=task("f", {"try": "{% $states.context.State.RetryCount %}"}, Retry=retry, End=True)
    )
    fails = [Fails(name) for name in "ABCCCB"]
    done = once(machine, f=fails)
    assert (done.ended["x"].status, done.ended["x"].error) == ("FAILED", "B")
    assert [payload["try"] for _, payload in done.calls] == [0, 1, 2, 3, 4, 5]
    assert done.pauses == [1, 3, 5, 40, 40]


def test_what_a_service_refuses_is_retried_by_its_name() -> None:
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "MaxAttempts": 1}]
    machine = states("T", T=task("f", {}, Retry=retry, Output="{% $states.result.Payload %}", End=True))
    done = once(machine, f=[Fails("TooManyRequestsException", by_service=True), {"fine": True}])
    assert (done.ended["x"].output, len(done.calls)) == ({"fine": True}, 2)


def test_a_catcher_gets_the_error_by_the_class_of_the_exception() -> None:
    caught = {
        "ErrorEquals": ["JudgedBad"],
        "Assign": {"failure": "{% $states.errorOutput %}"},
        "Output": "{% $states.input.kept %}",
        "Next": "Caught",
    }
    machine = states(
        "T",
        T=task("f", {}, Catch=[{"ErrorEquals": ["Other"], "Next": "Caught"}, caught], End=True),
        Caught={
            "Type": "Succeed",
            "Output": "{% [$parse($failure.Cause).errorMessage, $failure.Error, $states.input] %}",
        },
    )
    ended = once(machine, {"kept": 7}, f=[Fails("JudgedBad", 'it said "no"')]).ended["x"]
    assert ended.output == ['it said "no"', "JudgedBad", 7]


def test_without_an_output_of_its_own_a_catcher_hands_on_the_error() -> None:
    machine = states(
        "T",
        T=task("f", {}, Catch=[{"ErrorEquals": ["States.TaskFailed"], "Next": "S"}], End=True),
        S={"Type": "Succeed"},
    )
    ended = once(machine, f=[Fails("Any", "why")]).ended["x"]
    assert (ended.output["Error"], json.loads(ended.output["Cause"])["errorMessage"]) == ("Any", "why")


def test_what_nothing_catches_fails_the_execution() -> None:
    ended = once(states("T", T=task("f", {}, End=True)), f=[Fails("Broken", "why")]).ended["x"]
    assert ended == Ended("FAILED", None, "Broken", {"errorMessage": "why", "errorType": "Broken"})


def test_a_fail_state_says_why_in_its_own_words() -> None:
    fail = {
        "Type": "Fail",
        "Error": "{% $states.input.error %}",
        "Cause": "{% 'since ' & $states.input.why %}",
    }
    ended = once(states("F", F=fail), {"error": "Broken", "why": "today"}).ended["x"]
    assert ended == Ended("FAILED", None, "Broken", "since today")


def test_a_map_hands_out_its_items_and_keeps_their_order() -> None:
    inner = states(
        "T",
        T=task("f", "{% $states.input %}", Assign={"got": "{% $states.result.Payload %}"}, Next="S"),
        S={"Type": "Succeed", "Output": "{% $got.n * $factor %}"},
    )
    each = {
        "Type": "Map",
        "Items": "{% $states.input.items %}",
        "ItemSelector": {
            "n": "{% $states.context.Map.Item.Value %}",
            "at": "{% $states.context.Map.Item.Index %}",
        },
        "MaxConcurrency": 1,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner},
        "Assign": {"sum": "{% $sum($states.result) %}"},
        "Next": "S0",
    }
    machine = states(
        "P",
        P={"Type": "Pass", "Assign": {"factor": 10}, "Next": "M"},
        M=each,
        S0={"Type": "Succeed", "Output": "{% {'sum': $sum, 'input': $states.input} %}"},
    )
    done = once(machine, {"items": [3, 4]}, f=[lambda payload: payload])
    assert done.ended["x"].output == {"sum": 70, "input": [30, 40]}
    assert done.calls == [("f", {"n": 3, "at": 0}), ("f", {"n": 4, "at": 1})]
    assert once(machine, {"items": []}, f=[]).ended["x"].output == {"sum": 0, "input": []}


@pytest.mark.parametrize("at_once", [1, 5])
def test_a_fail_inside_a_map_fails_the_map_with_its_error(at_once: int) -> None:
    inner = states("F", F={"Type": "Fail", "Error": "Broken", "Cause": "{% 'item ' & $states.input %}"})
    each = {
        "Type": "Map",
        "Items": ["a"],
        "MaxConcurrency": at_once,
        "ItemProcessor": inner,
        "Catch": [{"ErrorEquals": ["Broken"], "Next": "Caught"}],
        "End": True,
    }
    ended = once(states("M", M=each, Caught={"Type": "Succeed"})).ended["x"]
    assert ended.output == {"Error": "Broken", "Cause": "item a"}


def test_branches_run_at_once_with_variables_of_their_own() -> None:
    def branch(name: str) -> dict[str, Any]:
        assign = {"Type": "Pass", "Assign": {"mine": f"{{% $shared & '{name}' %}}"}, "Next": f"S{name}"}
        return states(
            f"P{name}", **{f"P{name}": assign, f"S{name}": {"Type": "Succeed", "Output": "{% $mine %}"}}
        )

    machine = states(
        "A",
        A={"Type": "Pass", "Assign": {"shared": "s"}, "Next": "P"},
        P={"Type": "Parallel", "Branches": [branch("a"), branch("b")], "End": True},
    )
    assert once(machine).ended["x"].output == ["sa", "sb"]


def test_a_machine_starts_another_and_gets_its_output_or_its_failure() -> None:
    child = states(
        "C",
        C={
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.fail %}", "Next": "F"}],
            "Default": "W",
        },
        W={"Type": "Wait", "Seconds": "{% $states.input.wait %}", "Next": "D"},
        D={"Type": "Succeed", "Output": {"waited": "{% $states.input.wait %}"}},
        F={"Type": "Fail", "Error": "RolloutFailed", "Cause": "no"},
    )

    def play(engine: Engine) -> None:
        nested = {"Type": "Task", "Resource": f"{START}.sync:2"}
        arn = engine.define("child", child)
        good = {"StateMachineArn": arn, "Name": "good", "Input": {"wait": 1, "fail": False}}
        bad = {"StateMachineArn": arn, "Name": "bad", "Input": {"wait": 1, "fail": True}}
        caught = {
            "ErrorEquals": ["States.TaskFailed"],
            "Next": "S",
            "Output": "{% [$states.errorOutput.Error, $parse($states.errorOutput.Cause)] %}",
        }
        machine = states(
            "G",
            G={**nested, "Arguments": good, "Assign": {"good": "{% $states.result %}"}, "Next": "B"},
            B={**nested, "Arguments": bad, "Catch": [caught], "Next": "S"},
            S={"Type": "Succeed", "Output": {"good": "{% $good %}", "bad": "{% $states.input %}"}},
        )
        engine.end(engine.start(engine.define("m", machine), "x"))

    found = on_both({}, play).ended["x"].output
    assert (found["good"]["Output"], found["good"]["Status"]) == ({"waited": 1}, "SUCCEEDED")
    error, described = found["bad"]
    assert (error, described["Error"], described["Status"]) == (
        "States.TaskFailed",
        "RolloutFailed",
        "FAILED",
    )


def test_a_machine_starts_another_and_goes_on() -> None:
    def play(engine: Engine) -> None:
        child = engine.define("child", states("S", S={"Type": "Succeed"}))
        start = {
            "Type": "Task",
            "Resource": START,
            "Arguments": {"StateMachineArn": child, "Name": "c", "Input": {"a": "{% $states.input.a %}"}},
            "Output": "{% $states.result.ExecutionArn %}",
            "End": True,
        }
        engine.end(engine.start(engine.define("m", states("T", T=start)), "x", {"a": 1}))

    done = on_both({}, play)
    assert done.ended["x"].output.endswith(":execution:child:c")
    assert done.ended["c"].output == {"a": 1}


def test_a_name_is_taken_by_another_input_and_by_what_is_over() -> None:
    refused: list[str] = []

    def play(engine: Engine) -> None:
        machine = engine.define(
            "m", states("W", W={"Type": "Wait", "Seconds": 20000, "Next": "S"}, S={"Type": "Succeed"})
        )
        first = engine.start(machine, "x", {"a": 1})
        assert engine.start(machine, "x", {"a": 1}) == first
        with pytest.raises(Refused) as other:
            engine.start(machine, "x", {"a": 2})
        engine.stop(first, "Enough", "by hand")
        with pytest.raises(Refused) as over:
            engine.start(machine, "x", {"a": 1})
        refused.extend([other.value.code, over.value.code])

    assert on_both({}, play).ended == {"x": Ended("ABORTED", None, "Enough", "by hand")}
    assert refused == ["ExecutionAlreadyExists"] * 4


def test_executions_without_a_name_get_one_each() -> None:
    def play(engine: Engine) -> None:
        machine = engine.define("m", states("S", S={"Type": "Succeed"}))
        arns = {engine.start(machine) for _ in range(2)}
        assert len(arns) == 2
        # Names by chance are not alike on both.
        engine.summary = Summary  # type: ignore[method-assign]

    on_both({}, play)


def test_a_task_waits_for_its_token() -> None:
    denied = {"ErrorEquals": ["Denied"], "Next": "S", "Output": "{% $states.errorOutput.Cause %}"}
    machine = states(
        "A", A=waiting(Output="{% $states.result.by %}", Catch=[denied], Next="S"), S={"Type": "Succeed"}
    )

    def play(engine: Engine) -> None:
        arn = engine.define("m", machine)
        yes, no = (engine.start(arn, name) for name in ("yes", "no"))
        engine.called("ask", 2)
        tokens = {payload["of"]: payload["token"] for _, payload in engine.script.calls}
        engine.succeed(tokens["yes"], {"by": "Ada"})
        engine.fail(tokens["no"], "Denied", "not today")
        engine.end(yes)
        engine.end(no)
        with pytest.raises(Refused) as refused:
            engine.succeed("nothing", {})
        assert refused.value.code == "InvalidToken"
        engine.script.calls.sort(key=lambda call: call[1]["of"])

    done = on_both({"ask": [{}]}, play)
    assert (done.ended["yes"].output, done.ended["no"].output) == ("Ada", "not today")


def test_a_function_that_asks_in_vain_fails_the_task() -> None:
    done = once(states("A", A=waiting(End=True)), ask=[Fails("NobodyThere")])
    assert (done.ended["x"].status, done.ended["x"].error) == ("FAILED", "NobodyThere")


def test_nobody_answers_in_time() -> None:
    caught = {"ErrorEquals": ["States.Timeout"], "Assign": {"late": True}, "Next": "S"}
    machine = states(
        "A",
        A=waiting(TimeoutSeconds="{% $states.input.within %}", Catch=[caught], Next="S"),
        S={"Type": "Succeed", "Output": "{% [$late, $states.input.Error] %}"},
    )
    assert once(machine, {"within": 1}, ask=[{}]).ended["x"].output == [True, "States.Timeout"]


@pytest.mark.parametrize("waits_for", ["a timer", "a person"])
def test_stopping_takes_effect_at_once_with_its_cause(waits_for: str) -> None:
    state = (
        {"Type": "Wait", "Seconds": 99999999, "End": True} if waits_for == "a timer" else waiting(End=True)
    )

    def play(engine: Engine) -> None:
        arn = engine.start(engine.define("m", states("W", W=state)), "x")
        if waits_for == "a person":
            engine.called("ask")
        engine.stop(arn, "Stopped", "by hand")
        assert engine.end(arn) == Ended("ABORTED", None, "Stopped", "by hand")
        # Again changes nothing.
        engine.stop(arn, "Again", "")

    done = on_both({"ask": [{}]}, play)
    assert done.ended["x"].error == "Stopped"
    assert done.told["x"] == ["RUNNING", "ABORTED"]


def test_a_machine_stops_an_execution_through_the_sdk_integration() -> None:
    def play(engine: Engine) -> None:
        wait = {"Type": "Wait", "Seconds": 99999999, "End": True}
        victim = engine.start(engine.define("w", states("W", W=wait)), "victim")
        stop = {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sfn:stopExecution",
            "Arguments": {
                "ExecutionArn": "{% $states.input.stop %}",
                "Error": "RolledBack",
                "Cause": "errors over 10%",
            },
            "Catch": [
                {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "Missed"}
            ],
            "Output": "{% $keys($states.result) %}",
            "End": True,
        }
        stopper = engine.define("s", states("S", S=stop, Missed={"Type": "Pass", "End": True}))
        engine.end(engine.start(stopper, "stopper", {"stop": victim}))
        # Nobody is kept waiting for one that is not there.
        engine.end(engine.start(stopper, "misser", {"stop": victim.replace(":victim", ":nobody")}))

    ended = on_both({}, play).ended
    assert ended["victim"] == Ended("ABORTED", None, "RolledBack", "errors over 10%")
    assert ended["stopper"].output == ["StopDate"] or ended["stopper"].output == "StopDate"
    assert ended["misser"].output == "Sfn.ExecutionDoesNotExistException"


def test_every_end_is_announced() -> None:
    done = once(states("F", F={"Type": "Fail", "Error": "Broken"}))
    assert done.told["x"] == ["RUNNING", "FAILED"]


def test_a_timed_out_machine_ends_as_timed_out() -> None:
    machine = states("W", W={"Type": "Wait", "Seconds": 99999999, "End": True}) | {"TimeoutSeconds": 1}
    done = once(machine)
    assert (done.ended["x"].status, done.told["x"]) == ("TIMED_OUT", ["RUNNING", "TIMED_OUT"])
