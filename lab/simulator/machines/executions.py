"""The control plane's own executions, on machines in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from candlefish.errors import Misconfigured
from candlefish.ports import Execution
from lab.simulator.machines.engine import Machines
from lab.simulator.machines.errors import Refused

# A task that was answered before, or whose execution is over.
_GONE = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


class MachineExecutions:
    """`ports.Executions`. `machines` maps short names to state machine ARNs."""

    def __init__(self, engine: Machines, machines: Mapping[str, str]) -> None:
        self._engine = engine
        self._machines = machines

    def _machine(self, name: str) -> str:
        try:
            return self._machines[name]
        except KeyError:
            raise Misconfigured(f"this function was not told the ARN of state machine {name!r}") from None

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        of = self._machine(machine)
        try:
            return self._engine.start(of, name, msgspec.to_builtins(payload))
        except Refused as refused:
            # The name was used before: whatever this start would have done has been started.
            if refused.code != "ExecutionAlreadyExists":
                raise
        return self.arn(machine, name)

    def arn(self, machine: str, name: str) -> str:
        return self._engine.execution_arn(self._machine(machine), name)

    def status(self, arn: str) -> Execution:
        try:
            return Execution(arn, self._engine.describe(arn).status)
        except Refused:
            return Execution(arn, "UNKNOWN")

    def find(self, machine: str, name: str) -> Execution | None:
        found = self._engine.find(self._machine(machine), name)
        return None if found is None else Execution(found.arn, found.status)

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        _unless_gone(lambda: self._engine.succeed(token, msgspec.to_builtins(output)))

    def fail(self, token: str, *, error: str, cause: str) -> None:
        _unless_gone(lambda: self._engine.fail(token, error[:256], cause[:32000]))


def _unless_gone(answer: Callable[[], None]) -> None:
    try:
        answer()
    except Refused as refused:
        if refused.code not in _GONE:
            raise
