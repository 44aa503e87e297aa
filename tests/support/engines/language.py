"""Short ways to write definitions."""

from __future__ import annotations

from typing import Any

LAMBDA = "arn:aws:states:::lambda:invoke"
START = "arn:aws:states:::states:startExecution"


def states(start: str, **states: dict[str, Any]) -> dict[str, Any]:
    """A machine, or a branch."""
    return {"StartAt": start, "States": states}


def task(function: str, payload: Any = None, **more: Any) -> dict[str, Any]:
    """A state that invokes a function."""
    arguments = {"FunctionName": function, "Payload": {} if payload is None else payload}
    return {"Type": "Task", "Resource": LAMBDA, "Arguments": arguments, **more}


def waiting(**more: Any) -> dict[str, Any]:
    """A state that asks with a token and waits for the answer."""
    payload = {"token": "{% $states.context.Task.Token %}", "of": "{% $states.context.Execution.Name %}"}
    return task("ask", payload, Resource=f"{LAMBDA}.waitForTaskToken", **more)


def starting(machine: str, name: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """A state that starts another machine's execution and waits for its end."""
    arguments = {"StateMachineArn": machine, "Name": name, "Input": {} if value is None else value}
    return {"Type": "Task", "Resource": f"{START}.sync:2", "Arguments": arguments, **more}


def fail(error: str, cause: str = "") -> dict[str, Any]:
    return {"Type": "Fail", "Error": error, "Cause": cause}


DONE: dict[str, Any] = {"Type": "Succeed"}
LONG: dict[str, Any] = {"Type": "Wait", "Seconds": 1_000_000, "End": True}
