"""One execution: what is known of it while it runs and after."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from lab.simulator.kernel import Promise
from lab.simulator.machines.definition import Definition

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
# Bytes of UTF-8 that an input, a result or an output has at most.
LARGEST = 256 * 1024
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MOST_EVENTS = 25_000


def encoded(value: Any) -> bytes:
    """As JSON; a value once around is somebody's own copy."""
    return msgspec.json.encode(value)


decoded = msgspec.json.decode


def iso(moment: float) -> str:
    """Epoch seconds as Step Functions writes a time."""
    when = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


class Moment(NamedTuple):
    """Something that happened in an execution.

    `kind`: entered, called, failed, retried, caught, left, and the status when it ends. `detail`: the
    function or machine, the error, the pause in seconds, or the next state.
    """

    time: float
    kind: str
    state: str
    detail: Any = ""


@dataclass
class Machine:
    """A state machine. Executions keep the definition that they began with."""

    arn: str
    name: str
    definition: Definition


@dataclass(eq=False)
class Execution:
    """`input` and `output` are values that nobody changes; `start` and `stop` epoch seconds."""

    arn: str
    machine: Machine
    name: str
    input: Any
    # As it was sent: by this a second start is told from another one.
    text: str
    start: float
    status: Status = "RUNNING"
    output: Any = None
    error: str | None = None
    cause: str | None = None
    stop: float | None = None
    history: list[Moment] = field(default_factory=list)
    # Events that AWS would have written, of which there can be 25,000.
    events: int = 1
    # Kept when it is over, however it ended.
    ended: Promise[Execution] = field(default_factory=Promise)

    def described(self) -> dict[str, Any]:
        """DescribeExecution, as a task gets it: names with a capital, times in milliseconds, input and output as values."""
        found = {
            "ExecutionArn": self.arn,
            "StateMachineArn": self.machine.arn,
            "Name": self.name,
            "Status": self.status,
            "StartDate": milliseconds(self.start),
            "Input": self.input,
            "InputDetails": {"Included": True},
            "StopDate": milliseconds(self.stop),
            "Error": self.error,
            "Cause": self.cause,
        }
        found = {name: value for name, value in found.items() if value is not None}
        if self.status == "SUCCEEDED":
            found |= {"Output": self.output, "OutputDetails": {"Included": True}}
        return found

    def announcement(self, account: str, region: str) -> dict[str, Any]:
        """The event of its status now. https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
        now = self.start if self.stop is None else self.stop
        return {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "account": account,
            "region": region,
            "time": iso(now)[:19] + "Z",
            "resources": [self.arn],
            "detail": {
                "executionArn": self.arn,
                "stateMachineArn": self.machine.arn,
                "name": self.name,
                "status": self.status,
                "startDate": milliseconds(self.start),
                "stopDate": milliseconds(self.stop),
                "input": self.text,
                "output": encoded(self.output).decode() if self.status == "SUCCEEDED" else None,
                "error": self.error,
                "cause": self.cause,
            },
        }


def milliseconds(moment: float | None) -> int | None:
    """Epoch seconds as whole milliseconds."""
    return None if moment is None else round(moment * 1000)
