"""Executions of the control plane's own state machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.errors import Misconfigured
from candlefish.ports import Execution


class StepFunctionsExecutions:
    """`ports.Executions`. `machines` maps short names to state machine ARNs."""

    def __init__(self, client: Any, machines: Mapping[str, str]) -> None:
        self._client = client
        self._machines = machines

    def _machine(self, name: str) -> str:
        try:
            return self._machines[name]
        except KeyError:
            raise Misconfigured(
                f"this function was not told the ARN of state machine {name!r}; set it in template.yaml"
            ) from None

    def arn(self, machine: str, name: str) -> str:
        return f"{self._machine(machine).replace(':stateMachine:', ':execution:')}:{name}"

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        of = self._machine(machine)
        with aws_call(f"starting {machine} {name}"):
            try:
                started = self._client.start_execution(
                    stateMachineArn=of, name=name, input=msgspec.json.encode(payload).decode()
                )
            except ClientError as error:
                # The name was used before: whatever this start would have done has been started.
                if code_of(error) != "ExecutionAlreadyExists":
                    raise
                return self.arn(machine, name)
        return str(started["executionArn"])

    def status(self, arn: str) -> Execution:
        with aws_call(f"describing {arn}"):
            try:
                found = self._client.describe_execution(executionArn=arn)
            except ClientError as error:
                if code_of(error) != "ExecutionDoesNotExist":
                    raise
                return Execution(arn, "UNKNOWN")
        return Execution(arn, found["status"])

    def find(self, machine: str, name: str) -> Execution | None:
        found = self.status(self.arn(machine, name))
        return None if found.status == "UNKNOWN" else found

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        with aws_call("completing the waiting task"):
            try:
                self._client.send_task_success(taskToken=token, output=msgspec.json.encode(output).decode())
            except ClientError as error:
                if not _gone(error):
                    raise

    def fail(self, token: str, *, error: str, cause: str) -> None:
        with aws_call("failing the waiting task"):
            try:
                self._client.send_task_failure(taskToken=token, error=error[:256], cause=cause[:32000])
            except ClientError as refused:
                if not _gone(refused):
                    raise


def _gone(error: ClientError) -> bool:
    """The task was answered before, or its execution is over: answering again is no error."""
    return code_of(error) in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
