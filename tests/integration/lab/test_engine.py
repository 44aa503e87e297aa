"""State machines run as on Step Functions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lab.aws.server import Aws
from tests.support.lab_account import Account
from tests.support.waiting import eventually

LAMBDA = "arn:aws:states:::lambda:invoke"
FLAKY = """
class Throttled(Exception): pass
class JudgedBad(Exception): pass
seen = 0
def handler(event, context):
    global seen
    seen += 1
    print("token:", event.get("token"))
    if event.get("bad"): raise JudgedBad('it said "no"')
    if seen <= event.get("fail", 0): raise Throttled("later")
    return {"seen": seen, "text": 'a "quoted" word'}
"""


def task(function: str, payload: Any, **more: Any) -> dict[str, Any]:
    arguments = {"FunctionName": function, "Payload": payload}
    return {"Type": "Task", "Resource": LAMBDA, "Arguments": arguments, "TimeoutSeconds": 600, **more}


def test_variables_are_values_not_text(account: Account) -> None:
    machine = account.machine(
        {
            "StartAt": "Keep",
            "States": {
                "Keep": {
                    "Type": "Pass",
                    "Assign": {"text": "{% $states.input.text %}", "none": "{% $states.input.none %}"},
                    "Next": "Use",
                },
                "Use": {
                    "Type": "Pass",
                    "Output": {
                        "text": "{% $text & '!' %}",
                        "none": "{% $none = null %}",
                        "rest": "{% $partition([1,2,3], 2) %}",
                    },
                    "End": True,
                },
            },
        }
    )
    ended = account.run(machine, {"text": 'say "hi" \\ $x', "none": None})
    assert json.loads(ended["output"]) == {"text": 'say "hi" \\ $x!', "none": True, "rest": [[1, 2], [3]]}


def test_an_expression_that_finds_nothing_is_a_query_evaluation_error(account: Account) -> None:
    machine = account.machine(
        {
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}},
        }
    )
    ended = account.run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_retry_and_catch_go_by_the_class_of_the_exception(account: Account) -> None:
    function = account.function(FLAKY)
    retry = [{"ErrorEquals": ["Throttled"], "IntervalSeconds": 1, "MaxAttempts": 3}]
    machine = account.machine(
        {
            "StartAt": "Flaky",
            "States": {
                "Flaky": task(
                    function, {"fail": 2}, Retry=retry, Output="{% $states.result.Payload %}", Next="Bad"
                ),
                "Bad": task(
                    function,
                    {"bad": True},
                    Retry=retry,
                    Catch=[
                        {
                            "ErrorEquals": ["JudgedBad"],
                            "Next": "Caught",
                            "Output": "{% $states.errorOutput %}",
                        }
                    ],
                    End=True,
                ),
                "Caught": {"Type": "Succeed", "Output": "{% $parse($states.input.Cause).errorMessage %}"},
            },
        }
    )
    assert json.loads(account.run(machine)["output"]) == 'it said "no"'


def test_a_machine_starts_another_and_gets_its_output_or_its_failure(account: Account) -> None:
    child = account.machine(
        {
            "StartAt": "Choose",
            "States": {
                "Choose": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% $states.input.fail %}", "Next": "Fail"}],
                    "Default": "Wait",
                },
                "Wait": {"Type": "Wait", "Seconds": "{% $states.input.wait %}", "Next": "Done"},
                "Done": {"Type": "Succeed", "Output": {"waited": "{% $states.input.wait %}"}},
                "Fail": {"Type": "Fail", "Error": "RolloutFailed", "Cause": "no"},
            },
        }
    )
    nested = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2"}
    caught = {
        "ErrorEquals": ["States.TaskFailed"],
        "Next": "Caught",
        "Output": "{% $parse($states.errorOutput.Cause) %}",
    }
    machine = account.machine(
        {
            "StartAt": "Good",
            "States": {
                "Good": {
                    **nested,
                    "Arguments": {"StateMachineArn": child, "Input": {"wait": 0.2, "fail": False}},
                    "Assign": {"good": "{% $states.result %}"},
                    "Next": "Bad",
                },
                "Bad": {
                    **nested,
                    "Arguments": {"StateMachineArn": child, "Input": {"wait": 0, "fail": True}},
                    "Catch": [caught],
                    "Next": "Caught",
                },
                "Caught": {
                    "Type": "Succeed",
                    "Output": {"good": "{% $good.Output.waited %}", "bad": "{% $states.input.Error %}"},
                },
            },
        }
    )
    assert json.loads(account.run(machine)["output"]) == {"good": 0.2, "bad": "RolloutFailed"}


def token_of(aws: Aws, function: str) -> str:
    def look() -> str | None:
        found = re.findall(r"token: (\S{20,})", (aws.directory / "logs" / f"{function}.log").read_text())
        return found[-1] if found else None

    eventually(lambda: (aws.directory / "logs" / f"{function}.log").exists())
    return str(eventually(look))


def test_a_task_waits_for_its_token(aws: Aws, account: Account) -> None:
    function = account.function(FLAKY)
    waiting = task(
        function, {"token": "{% $states.context.Task.Token %}"}, Resource=f"{LAMBDA}.waitForTaskToken"
    )
    denied = {
        "ErrorEquals": ["ApprovalDenied"],
        "Next": "Denied",
        "Output": "{% $states.errorOutput.Cause %}",
    }
    machine = account.machine(
        {
            "StartAt": "Ask",
            "States": {"Ask": {**waiting, "Catch": [denied], "End": True}, "Denied": {"Type": "Succeed"}},
        }
    )
    sfn = account.client("stepfunctions")
    execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    sfn.send_task_failure(taskToken=token_of(aws, function), error="ApprovalDenied", cause="not today")
    ended = eventually(
        lambda: (d := sfn.describe_execution(executionArn=execution))["status"] != "RUNNING" and d
    )
    assert json.loads(ended["output"]) == "not today"


@pytest.mark.parametrize("waits_for", ["a timer", "a person"])
def test_stopping_takes_effect_at_once_with_its_cause(account: Account, waits_for: str) -> None:
    states: dict[str, Any] = {"W": {"Type": "Wait", "Seconds": 1000, "End": True}}
    if waits_for == "a person":
        function = account.function(FLAKY)
        payload = {"token": "{% $states.context.Task.Token %}"}
        states = {
            "W": task(function, payload, Resource=f"{LAMBDA}.waitForTaskToken", TimeoutSeconds=1000, End=True)
        }
    sfn = account.client("stepfunctions")
    machine = account.machine({"StartAt": "W", "States": states})
    execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    sfn.stop_execution(executionArn=execution, error="Stopped", cause="by hand")
    described = sfn.describe_execution(executionArn=execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Stopped", "by hand")


def test_a_machine_stops_an_execution_through_the_sdk_integration(account: Account) -> None:
    sfn = account.client("stepfunctions")
    wait = {"Type": "Wait", "Seconds": 600, "End": True}
    execution = sfn.start_execution(
        stateMachineArn=account.machine({"StartAt": "W", "States": {"W": wait}}), input="{}"
    )["executionArn"]
    stop = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:stopExecution",
        "TimeoutSeconds": 600,
        "Arguments": {
            "ExecutionArn": "{% $states.input.stop %}",
            "Error": "RolledBack",
            "Cause": "errors over 10%",
        },
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Missed"}],
        "End": True,
    }
    stopper = account.machine(
        {"StartAt": "S", "States": {"S": stop, "Missed": {"Type": "Pass", "End": True}}}
    )
    assert "StopDate" in json.loads(account.run(stopper, {"stop": execution})["output"])
    described = sfn.describe_execution(executionArn=execution)
    assert (described["status"], described["error"], described["cause"]) == (
        "ABORTED",
        "RolledBack",
        "errors over 10%",
    )
    # Nobody is kept waiting for one that is not there.
    missing = execution.rpartition(":")[0] + ":nobody"
    assert account.run(stopper, {"stop": missing})["status"] == "SUCCEEDED"


def test_executions_without_a_name_get_one_each(account: Account) -> None:
    machine = account.machine({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})
    sfn = account.client("stepfunctions")
    arns = {sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2)}
    assert len(arns) == 2


def test_the_end_of_an_execution_is_an_event_on_the_default_bus(account: Account) -> None:
    machine = account.machine({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken"}}})
    url, arn = account.queue()
    events = account.client("events")
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ended", Targets=[{"Id": "1", "Arn": arn}])
    ended = account.run(machine)
    # Also of one that is over before its beginning was told.
    told = {event["detail"]["status"]: event for event in account.received(url, 2)}
    assert set(told) == {"RUNNING", "FAILED"}
    event = told["FAILED"]
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert (event["detail"]["executionArn"], event["detail"]["error"]) == (ended["executionArn"], "Broken")


def test_a_timed_out_machine_ends_as_timed_out(account: Account) -> None:
    states = {"W": {"Type": "Wait", "Seconds": 100, "End": True}}
    machine = account.machine({"StartAt": "W", "TimeoutSeconds": 1, "States": states})
    assert account.run(machine)["status"] == "TIMED_OUT"
