"""Tasks: their time, their tokens, the executions that they start and stop."""

from __future__ import annotations

from typing import Any

import pytest

from lab.simulator.machines import Refused
from tests.support.engines.language import DONE, LONG, fail, starting, states, task, waiting
from tests.support.engines.script import Fails, Script
from tests.support.engines.virtual import VirtualEngine

LATE = [{"ErrorEquals": ["States.Timeout"], "Output": "{% $states.errorOutput.Error %}", "Next": "S"}]


def engine(seconds: float = 0.1, **answers: list[Any]) -> VirtualEngine:
    return VirtualEngine(Script(answers), seconds)


def started(on: VirtualEngine, definition: dict[str, Any], value: Any = None, name: str = "x") -> str:
    return on.start(on.define("m", definition), name, value)


def took(on: VirtualEngine, arn: str) -> float:
    run = on.machines.describe(arn)
    assert run.stop is not None
    return round(run.stop - run.start, 3)


# --- time --------------------------------------------------------------------------------------


def test_a_task_that_takes_too_long_is_left_to_itself() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html: TimeoutSeconds, States.Timeout."""
    on = engine(seconds=30, f=[{}])
    arn = started(on, states("T", T=task("f", TimeoutSeconds=10, Catch=LATE, End=True), S=DONE))
    assert (on.end(arn).output, took(on, arn)) == ("States.Timeout", 10)
    # The function goes on, as on AWS, and its answer changes nothing any more.
    on.kernel.run(on.kernel.now() + 100)
    assert len(on.script.calls) == 1


def test_each_attempt_has_the_whole_time() -> None:
    """The pauses between attempts are not part of it, nor are the attempts before."""
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 100, "MaxAttempts": 2, "BackoffRate": 1}]
    on = engine(seconds=30, f=[{}])
    arn = started(on, states("T", T=task("f", TimeoutSeconds=10, Retry=retry, End=True)))
    assert (on.end(arn).error, took(on, arn), len(on.script.calls)) == ("States.Timeout", 230, 3)


def test_an_answer_at_the_last_moment_counts() -> None:
    on = engine(seconds=10, f=[{}])
    assert on.end(started(on, states("T", T=task("f", TimeoutSeconds=10, End=True)))).status == "SUCCEEDED"


@pytest.mark.parametrize("seconds", ["{% 0 %}", "{% 1.5 %}", "{% 'ten' %}", "{% 100000000 %}", "{% -1 %}", 0])
def test_a_time_that_cannot_be_is_an_error(seconds: Any) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html: a whole number from 1 to 99999999."""
    on = engine(f=[{}])
    ended = on.end(started(on, states("T", T=task("f", TimeoutSeconds=seconds, End=True))))
    assert (ended.error, on.script.calls) == ("States.QueryEvaluationError", [])


def test_a_heartbeat_that_stays_away() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html: "the task fails with a
    States.Timeout error name"; Catch knows it as States.HeartbeatTimeout, too."""
    catch = [
        {"ErrorEquals": ["States.HeartbeatTimeout"], "Output": "{% $states.errorOutput.Error %}", "Next": "S"}
    ]
    machine = states("A", A=waiting(HeartbeatSeconds=10, TimeoutSeconds=100, Catch=catch, End=True), S=DONE)
    on = engine(ask=[{}])
    arn = started(on, machine)
    token = on.called("ask")["token"]
    for _ in range(3):
        on.kernel.run(on.kernel.now() + 8)
        on.heartbeat(token)
    assert (on.end(arn).output, took(on, arn)) == ("States.Timeout", 34)
    with pytest.raises(Refused, match="TaskTimedOut"):
        on.heartbeat(token)


def test_signs_of_life_do_not_make_the_time_longer() -> None:
    on = engine(ask=[{}])
    arn = started(
        on, states("A", A=waiting(HeartbeatSeconds=10, TimeoutSeconds=15, Catch=LATE, End=True), S=DONE)
    )
    on.kernel.run(on.kernel.now() + 8)
    on.heartbeat(on.called("ask")["token"])
    assert (on.end(arn).output, took(on, arn)) == ("States.Timeout", 15)


# --- tokens --------------------------------------------------------------------------------------


def test_an_answer_counts_once() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html: TaskTimedOut,
    "the task token has either expired or the task associated with the token has already been closed"."""
    on = engine(ask=[{}])
    arn = started(on, states("A", A=waiting(End=True)))
    token = on.called("ask")["token"]
    on.succeed(token, {"first": True})
    for again in (
        lambda: on.succeed(token, {}),
        lambda: on.fail(token, "E", ""),
        lambda: on.heartbeat(token),
    ):
        with pytest.raises(Refused, match="TaskTimedOut"):
            again()
    assert on.end(arn).output == {"first": True}
    with pytest.raises(Refused, match="InvalidToken"):
        on.succeed("made up", {})


def test_an_answer_before_the_function_returns() -> None:
    """The task is over with the answer; what the function says after that is nobody's."""
    on = engine(seconds=5, ask=[Fails("TooLate")])
    arn = started(on, states("A", A=waiting(End=True)))
    on.succeed(on.called("ask")["token"], "yes")
    assert (on.end(arn).output, took(on, arn)) == ("yes", 0)


def test_every_attempt_has_a_token_of_its_own() -> None:
    on = engine(ask=[Fails("Throttled"), {}])
    retry = [{"ErrorEquals": ["Throttled"]}]
    arn = started(on, states("A", A=waiting(Retry=retry, End=True)))
    first, second = on.called("ask", 1)["token"], on.called("ask", 2)["token"]
    with pytest.raises(Refused, match="TaskTimedOut"):
        on.succeed(first, {})
    on.succeed(second, "yes")
    assert on.end(arn).output == "yes"


@pytest.mark.parametrize("how", ["stopped", "late"])
def test_a_token_ends_with_its_task(how: str) -> None:
    on = engine(ask=[{}])
    arn = started(on, states("A", A=waiting(TimeoutSeconds=10, End=True)))
    token = on.called("ask")["token"]
    if how == "stopped":
        on.stop(arn, "Enough", "")
    else:
        on.end(arn)
    with pytest.raises(Refused, match="TaskTimedOut"):
        on.succeed(token, {})


def test_a_function_gets_a_copy_and_gives_one() -> None:
    given: list[Any] = []

    def spoil(payload: Any) -> Any:
        payload["list"].append(1)
        given.append(payload)
        return payload

    on = engine(f=[spoil])
    machine = states(
        "P",
        P={"Type": "Pass", "Assign": {"mine": {"list": []}}, "Next": "T"},
        T=task("f", "{% $mine %}", Assign={"got": "{% $states.result.Payload %}"}, Next="S"),
        S={"Type": "Succeed", "Output": {"mine": "{% $mine %}", "got": "{% $got %}"}},
    )
    arn = started(on, machine)
    ended = on.end(arn)
    given[0]["list"].append(2)
    assert ended.output == {"mine": {"list": []}, "got": {"list": [1]}}


def test_what_is_no_error_of_a_function_ends_the_simulation() -> None:
    def broken(payload: Any) -> Any:
        raise ZeroDivisionError("a fault of the simulator")

    on = engine(f=[broken])
    machine = states("T", T=task("f", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "S"}], End=True), S=DONE)
    started(on, machine)
    with pytest.raises(ZeroDivisionError):
        on.kernel.run(on.kernel.now() + 10)


def test_it_does_so_when_nobody_waits_for_the_function_any_more() -> None:
    on = engine(f=[])

    def broken(name: str, payload: Any) -> Any:
        on.kernel.sleep(10)
        raise ZeroDivisionError("a fault of the simulator")

    on.machines.invoke = broken
    assert on.end(started(on, states("T", T=task("f", TimeoutSeconds=5, End=True)))).error == "States.Timeout"
    with pytest.raises(ZeroDivisionError):
        on.kernel.run(on.kernel.now() + 10)


def test_a_function_whose_invocation_is_killed_is_an_unknown_error() -> None:
    """concepts-error-handling.html: "unhandled errors in Lambda are reported as Lambda.Unknown"."""
    on = engine(seconds=10, f=[{}, {}])
    machine = states("T", T=task("f", Retry=[{"ErrorEquals": ["Lambda.Unknown"]}], End=True))
    arn = started(on, machine)

    def lose() -> None:
        task = on.kernel.current
        assert task is not None
        on.kernel.later(1, task.kill)

    inner, lost = on.machines.invoke, iter([lose])
    on.machines.invoke = lambda name, payload: (next(lost, lambda: None)(), inner(name, payload))[1]
    assert on.end(arn).status == "SUCCEEDED"
    assert len(on.script.calls) == 2


# --- executions ----------------------------------------------------------------------------------


def test_a_nested_execution_that_fails_is_a_task_that_failed_with_its_description() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html: .sync:2 fails with
    States.TaskFailed; its output is a value, not a text."""
    on = engine()
    child = on.define("child", states("F", F=fail("Broken", "why")))
    ended = on.end(started(on, states("N", N=starting(child, "c", {"a": 1}, End=True))))
    assert ended.error == "States.TaskFailed"
    described = ended.cause
    assert (described["Status"], described["Error"], described["Cause"]) == ("FAILED", "Broken", "why")
    assert (described["Name"], described["Input"]) == ("c", {"a": 1})


@pytest.mark.parametrize("end", ["stopped", "timed out"])
def test_what_an_execution_waits_for_is_stopped_with_it(end: str) -> None:
    """connect-to-resource.html: when the execution is stopped, "Step Functions will make a best-effort attempt
    to cancel the task"."""
    on = engine()
    child = on.define("child", states("L", L=LONG))
    machine = states("N", N=starting(child, "c", End=True))
    arn = started(on, machine | ({"TimeoutSeconds": 50} if end == "timed out" else {}))
    on.kernel.run(on.kernel.now() + 10)
    if end == "stopped":
        on.stop(arn, "Enough", "")
    on.end(arn)
    assert on.machines.executions[1].status == "ABORTED"


def test_a_nested_execution_that_takes_too_long_goes_on() -> None:
    on = engine()
    child = on.define("child", states("W", W={"Type": "Wait", "Seconds": 50, "End": True}))
    arn = started(on, states("N", N=starting(child, "c", TimeoutSeconds=10, Catch=LATE, End=True), S=DONE))
    assert on.end(arn).output == "States.Timeout"
    assert on.machines.executions[1].status == "RUNNING"
    assert on.end(on.machines.executions[1].arn).status == "SUCCEEDED"


def test_a_branch_that_is_given_up_stops_what_it_waits_for() -> None:
    on = engine()
    child = on.define("child", states("L", L=LONG))
    slow = states("N", N=starting(child, "c", End=True))
    broken = states("W", W={"Type": "Wait", "Seconds": 5, "Next": "F"}, F=fail("Broken"))
    arn = started(on, states("P", P={"Type": "Parallel", "Branches": [slow, broken], "End": True}))
    assert on.end(arn).error == "Broken"
    assert on.machines.executions[1].status == "ABORTED"


def test_a_nested_execution_that_runs_already_is_joined() -> None:
    """API_StartExecution: idempotent for the same name and input while it runs; else ExecutionAlreadyExists."""
    on = engine()
    child = on.define("child", states("W", W={"Type": "Wait", "Seconds": 50, "Output": "there", "End": True}))
    on.start(child, "c", {"a": 1})
    joins = states("N", N=starting(child, "c", {"a": 1}, Output="{% $states.result.Output %}", End=True))
    arn = started(on, joins)
    assert (on.end(arn).output, took(on, arn)) == ("there", 50)
    other = on.end(on.start(on.define("n", states("N", N=starting(child, "c", {"a": 2}, End=True))), "y"))
    assert other.error == "StepFunctions.ExecutionAlreadyExistsException"


def test_what_is_stopped_does_nothing_more_but_the_function_that_it_invoked() -> None:
    on = engine(seconds=10, f=[{}], g=[{}])
    arn = started(on, states("F", F=task("f", Next="G"), G=task("g", End=True)))
    on.called("f")
    on.stop(arn, "Enough", "by hand")
    run = on.machines.describe(arn)
    assert (run.status, run.error, run.cause, run.stop) == ("ABORTED", "Enough", "by hand", on.kernel.now())
    on.kernel.run(on.kernel.now() + 100)
    assert [name for name, _ in on.script.calls] == ["f"]
    assert run.status == "ABORTED"


RETRIED = states("T", T=task("f", Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 60}], End=True))


@pytest.mark.parametrize(
    "machine",
    [RETRIED, states("M", M={"Type": "Map", "Items": [1, 2], "ItemProcessor": RETRIED, "End": True})],
    ids=["alone", "in a map"],
)
def test_what_is_stopped_tries_nothing_again(machine: dict[str, Any]) -> None:
    on = engine(f=[Fails("E")])
    arn = started(on, machine)
    on.kernel.run(on.kernel.now() + 30)
    calls = len(on.script.calls)
    on.stop(arn, "Enough", "")
    on.kernel.run(on.kernel.now() + 1000)
    assert calls in (1, 2) and len(on.script.calls) == calls


def test_an_execution_that_stops_itself_goes_no_further() -> None:
    stop = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:stopExecution",
        "Arguments": {"ExecutionArn": "{% $states.context.Execution.Id %}"},
        "Next": "T",
    }
    on = engine(f=[{}])
    assert on.end(started(on, states("S", S=stop, T=task("f", End=True)))).status == "ABORTED"
    on.kernel.run(on.kernel.now() + 10)
    assert on.script.calls == []
