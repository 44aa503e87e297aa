"""State machines run through the API, with the lab's functions and its bus.

What the language means is held in tests/contract/machines, without a server.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from lab import fairness
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


ASKS = """
class ApprovalExpired(Exception): pass
asked = 0
def handler(event, context):
    global asked
    asked += 1
    if asked > 1: raise ApprovalExpired(f"asked {asked} times")
"""


def test_a_question_that_nobody_answers_expires_by_the_clock_however_busy_the_machine_is(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a release: its time is over, the machine asks again, is told so, and goes back."""
    # Nothing that a limit counts ever passes on this machine.
    monkeypatch.setattr(fairness, "stalled", time.monotonic)
    monkeypatch.setattr(fairness, "LEAST", 0.0)
    asks = task(
        account.function(ASKS),
        {"token": "{% $states.context.Task.Token %}"},
        Resource=f"{LAMBDA}.waitForTaskToken",
        TimeoutSeconds=1,
        Retry=[{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 5}],
        Catch=[{"ErrorEquals": ["States.ALL"], "Next": "RollBack", "Output": "{% $states.errorOutput %}"}],
        End=True,
    )
    back = {
        "Type": "Succeed",
        "Output": "{% $states.input.Error & ': ' & $parse($states.input.Cause).errorMessage %}",
    }
    ended = account.run(account.machine({"StartAt": "Ask", "States": {"Ask": asks, "RollBack": back}}))
    assert json.loads(ended["output"]) == "ApprovalExpired: asked 2 times"


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


def test_the_end_of_an_execution_is_an_event_on_the_default_bus(account: Account) -> None:
    machine = account.machine({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken"}}})
    url, arn = account.queue()
    events = account.client("events")
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    rule = events.put_rule(Name="ended", EventPattern=json.dumps(pattern))["RuleArn"]
    account.allow("events.amazonaws.com", arn, rule)
    events.put_targets(Rule="ended", Targets=[{"Id": "1", "Arn": arn}])
    ended = account.run(machine)
    # Also of one that is over before its beginning was told.
    told = {event["detail"]["status"]: event for event in account.received(url, 2)}
    assert set(told) == {"RUNNING", "FAILED"}
    event = told["FAILED"]
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert (event["detail"]["executionArn"], event["detail"]["error"]) == (ended["executionArn"], "Broken")
