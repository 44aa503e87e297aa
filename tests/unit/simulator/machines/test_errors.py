"""Retry and Catch, by https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.support.engines.language import DONE, fail, states, task
from tests.support.engines.script import Ended, Fails, Script
from tests.support.engines.virtual import VirtualEngine

HUGE = "x" * (256 * 1024)


def once(
    definition: dict[str, Any], value: Any = None, /, **answers: list[Any]
) -> tuple[Ended, VirtualEngine]:
    engine = VirtualEngine(Script(answers))
    return engine.end(engine.start(engine.define("m", definition), "x", value)), engine


def pauses(engine: VirtualEngine) -> list[float]:
    return engine.summary().pauses


def test_each_retrier_counts_its_own_attempts() -> None:
    """ "Complex retry scenarios": ErrorA, ErrorB, ErrorC, ErrorB; the first two wait 1 and 2 seconds, the third 5,
    and the fourth finds the first retrier used up."""
    retry = [
        {"ErrorEquals": ["ErrorA", "ErrorB"], "IntervalSeconds": 1, "BackoffRate": 2.0, "MaxAttempts": 2},
        {"ErrorEquals": ["ErrorC"], "IntervalSeconds": 5},
    ]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
    machine = states("X", X=task("f", Retry=retry, Catch=catch, End=True), Z=DONE)
    ended, engine = once(machine, f=[Fails(name) for name in ("ErrorA", "ErrorB", "ErrorC", "ErrorB")])
    assert (ended.status, ended.output["Error"], pauses(engine)) == ("SUCCEEDED", "ErrorB", [1, 2, 5])


def test_a_retrier_without_numbers_waits_one_second_doubles_and_tries_three_times() -> None:
    """Defaults: IntervalSeconds 1, MaxAttempts 3, BackoffRate 2.0."""
    machine = states("T", T=task("f", Retry=[{"ErrorEquals": ["States.ALL"]}], End=True))
    ended, engine = once(machine, f=[Fails("E")])
    assert (ended.error, pauses(engine), len(engine.script.calls)) == ("E", [1, 2, 4], 4)


def test_no_attempts_means_that_an_error_is_never_retried() -> None:
    """ "A value of 0 specifies that the error is never retried"; a later retrier is not asked."""
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]
    machine = states("T", T=task("f", TimeoutSeconds=1, Retry=retry, End=True))
    engine = VirtualEngine(Script({"f": [{}]}), seconds=5)
    assert engine.end(engine.start(engine.define("m", machine), "x")).error == "States.Timeout"
    assert pauses(engine) == []


def test_the_pause_grows_to_its_most_and_jitter_is_from_nothing_to_all_of_it() -> None:
    """MaxDelaySeconds caps the pause, JitterStrategy FULL makes it random between 0 and that."""
    retrier = {
        "ErrorEquals": ["E"],
        "IntervalSeconds": 10,
        "MaxAttempts": 400,
        "BackoffRate": 10,
        "MaxDelaySeconds": 100,
    }
    machine = states("T", T=task("f", Retry=[retrier], End=True))
    assert pauses(once(machine, f=[Fails("E")])[1])[:3] == [10, 100, 100]
    jittered = states("T", T=task("f", Retry=[{**retrier, "JitterStrategy": "FULL"}], End=True))
    found = pauses(once(jittered, f=[Fails("E")])[1])
    assert len(found) == 400 and all(0 <= pause <= 100 for pause in found)
    assert min(found[2:]) < 10 and max(found) > 90
    assert found == pauses(once(jittered, f=[Fails("E")])[1])


def test_counters_begin_again_when_the_state_is_entered_again() -> None:
    """ "A retrier's parameters apply across all visits to the retrier in the context of a single-state execution.\""""
    retry = [{"ErrorEquals": ["E"], "MaxAttempts": 1}]
    again = {"Condition": "{% $count($states.input.Payload) = 1 %}", "Next": "T"}
    machine = states(
        "T",
        T=task("f", {"try": "{% $states.context.State.RetryCount %}"}, Retry=retry, Next="C"),
        C={"Type": "Choice", "Choices": [again], "Default": "S"},
        S=DONE,
    )
    ended, engine = once(machine, f=[Fails("E"), [1], Fails("E"), [1, 2]])
    assert ended.status == "SUCCEEDED"
    assert [payload["try"] for _, payload in engine.script.calls] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("named", "error", "matches"),
    [
        ("States.ALL", "Anything", True),
        ("States.ALL", "States.Timeout", True),
        # "States.ALL ... can't catch the States.DataLimitExceeded terminal error or Runtime error types."
        ("States.ALL", "States.DataLimitExceeded", False),
        ("States.ALL", "States.Runtime", False),
        ("States.DataLimitExceeded", "States.DataLimitExceeded", True),
        # "States.TaskFailed acts as a wildcard that matches any known error name except for States.Timeout."
        ("States.TaskFailed", "Anything", True),
        ("States.TaskFailed", "States.QueryEvaluationError", True),
        ("States.TaskFailed", "States.Timeout", False),
        ("States.TaskFailed", "States.DataLimitExceeded", False),
        ("anything", "Anything", False),
        ("Lambda", "Lambda.Unknown", False),
    ],
)
def test_what_a_name_stands_for(named: str, error: str, matches: bool) -> None:
    machine = states("T", T=task("f", Catch=[{"ErrorEquals": [named], "Next": "S"}], End=True), S=DONE)
    ended, _ = once(machine, f=[Fails(error)])
    assert (ended.status == "SUCCEEDED") is matches


def test_a_result_that_is_too_large_is_an_error_that_all_does_not_stand_for() -> None:
    """ "When the output of a connector is larger than payload size quota"; 256 KiB of UTF-8."""
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "S"}]
    machine = states("T", T=task("f", Catch=catch, Output="{% {} %}", End=True), S=DONE)
    assert once(machine, f=[{"a": HUGE}])[0].error == "States.DataLimitExceeded"
    assert once(machine, f=[{"a": "x" * (255 * 1024)}])[0].status == "SUCCEEDED"
    assert once(machine, f=[{"a": "é" * (130 * 1024)}])[0].error == "States.DataLimitExceeded"


def test_arguments_and_outputs_are_limited_too() -> None:
    """ "When, after Parameters processing, the input of a state is larger than the payload size quota.\""""
    much = "{% $pad('', 200000, 'x') %}"
    machine = states(
        "P",
        P={"Type": "Pass", "Assign": {"a": much}, "Next": "T"},
        T=task("f", {"a": "{% $a %}", "b": "{% $a %}"}, End=True),
    )
    ended, engine = once(machine, f=[{}])
    assert (ended.error, engine.script.calls) == ("States.DataLimitExceeded", [])
    output = states("P", P={"Type": "Pass", "Output": [much, much], "End": True})
    assert once(output)[0].error == "States.DataLimitExceeded"
    assign = states("P", P={"Type": "Pass", "Assign": {"a": much, "b": much}, "Output": {}, "End": True})
    assert once(assign)[0].error == "States.DataLimitExceeded"


def test_an_expression_that_finds_nothing_is_an_error_with_a_name_and_a_place() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html: "undefined" is an error."""
    ended, _ = once(
        states("P", P={"Type": "Pass", "Output": {"a": "{% $states.input.missing %}"}, "End": True})
    )
    assert ended.error == "States.QueryEvaluationError"
    assert "'P/Output/a'" in ended.cause and "$states.input.missing" in ended.cause


def test_retriers_come_first_then_catchers_in_their_order() -> None:
    """ "Step Functions uses any appropriate retriers first, and only afterward applies the matching catcher.\""""
    catch = [
        {"ErrorEquals": ["Other"], "Next": "Wrong"},
        {"ErrorEquals": ["E"], "Assign": {"n": "{% $n + 1 %}"}, "Output": "{% $n %}", "Next": "Right"},
        {"ErrorEquals": ["States.ALL"], "Next": "Wrong"},
    ]
    machine = states(
        "P",
        P={"Type": "Pass", "Assign": {"n": 1}, "Next": "T"},
        T=task("f", Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 1}], Catch=catch, End=True),
        Right={"Type": "Succeed", "Output": "{% {'before': $states.input, 'after': $n} %}"},
        Wrong=DONE,
    )
    ended, engine = once(machine, f=[Fails("E")])
    # A catcher's output sees the variables as they were, too.
    assert (ended.output, len(engine.script.calls)) == ({"before": 1, "after": 2}, 2)


def test_an_attempt_that_failed_assigns_nothing() -> None:
    machine = states(
        "P",
        P={"Type": "Pass", "Assign": {"n": 1}, "Next": "T"},
        T=task(
            "f",
            Assign={"n": 2, "m": "{% $states.result.Payload.missing %}"},
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "S"}],
            End=True,
        ),
        S={"Type": "Succeed", "Output": "{% {'n': $n, 'error': $states.input.Error} %}"},
    )
    assert once(machine, f=[{}])[0].output == {"n": 1, "error": "States.QueryEvaluationError"}


def test_what_goes_wrong_in_a_catcher_fails_the_execution() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Output": "{% $missing %}", "Next": "S"}]
    ended, _ = once(states("T", T=task("f", Catch=catch, End=True), S=DONE), f=[Fails("E")])
    assert ended.error == "States.QueryEvaluationError"


def test_no_rule_and_no_default() -> None:
    """States.NoChoiceMatched is "reserved for future use"; it is reported as States.Runtime."""
    rule = {"Condition": "{% false %}", "Next": "S"}
    assert once(states("C", C={"Type": "Choice", "Choices": [rule]}, S=DONE))[0].error == "States.Runtime"


def test_a_condition_is_true_or_false_and_nothing_else() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html"""
    rule = {"Condition": "{% 'yes' %}", "Next": "S"}
    machine = states("C", C={"Type": "Choice", "Choices": [rule], "Default": "S"}, S=DONE)
    assert once(machine)[0].error == "States.QueryEvaluationError"


def test_a_map_or_parallel_is_retried_as_a_whole() -> None:
    inner = states("T", T=task("f", "{% $states.input %}", Output="{% $states.result.Payload %}", End=True))
    each = {
        "Type": "Map",
        "Items": [1, 2],
        "ItemProcessor": inner,
        "MaxConcurrency": 1,
        "Retry": [{"ErrorEquals": ["E"]}],
        "End": True,
    }
    ended, engine = once(states("M", M=each), f=["a", Fails("E"), "c", "d"])
    assert (ended.output, [payload for _, payload in engine.script.calls]) == (["c", "d"], [1, 2, 1, 2])


def test_a_fail_in_a_branch_is_the_error_of_all() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-parallel.html: the others are stopped."""
    slow = states("W", W={"Type": "Wait", "Seconds": 50, "Next": "T"}, T=task("never", End=True))
    machine = states(
        "P", P={"Type": "Parallel", "Branches": [slow, states("F", F=fail("Broken", "why"))], "End": True}
    )
    ended, engine = once(machine, never=[{}])
    assert ended == Ended("FAILED", None, "Broken", "why")
    engine.kernel.run(engine.kernel.now() + 1000)
    assert engine.script.calls == []


def test_too_many_events_end_an_execution() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html: 25,000 events."""
    machine = states("W", W={"Type": "Wait", "Seconds": 1, "Next": "W"})
    ended, engine = once(machine)
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime") and "25000" in ended.cause
    assert engine.machines.covered.states["m", "W"] == 12_499


def test_a_look_of_a_waiting_loop_costs_nine_events() -> None:
    """What the plans of releases reckon with (docs/architecture.md): a task 5, a choice 2, a wait 2."""
    again = {"Condition": "{% $again %}", "Next": "W"}
    machine = states(
        "T",
        T=task("f", Assign={"again": "{% $states.result.Payload %}"}, Next="C"),
        C={"Type": "Choice", "Choices": [again], "Default": "S"},
        W={"Type": "Wait", "Seconds": 1, "Next": "T"},
        S=DONE,
    )
    counts = [
        once(machine, f=[*[True] * looks, False])[1].machines.executions[0].events for looks in (1, 2, 3)
    ]
    assert [later - earlier for earlier, later in pairwise(counts)] == [9, 9]
