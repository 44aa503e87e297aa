"""The interpreter in virtual time."""

from __future__ import annotations

import json
from typing import Any

from lab.simulator.kernel import Kernel
from lab.simulator.machines import FunctionError, Machines
from tests.support.engines.script import Ended, Fails, Script, Summary, plain, read

# Longer than any machine of ours may run.
FOREVER = 40 * 86400.0


class VirtualEngine:
    """`Engine`: each function takes `seconds`."""

    def __init__(self, script: Script, seconds: float = 0.1, seed: int = 0) -> None:
        self.script, self.seconds = script, seconds
        self.kernel = Kernel(seed)
        self.events: list[dict[str, Any]] = []
        self.machines = Machines(
            self.kernel, self._invoke, self.events.append, account="123456789012", region="us-west-2"
        )

    def _invoke(self, name: str, payload: Any) -> Any:
        answer = self.script.answer(name, payload)
        self.kernel.sleep(self.seconds)
        if isinstance(answer, Fails):
            name = f"Lambda.{answer.error}" if answer.by_service else answer.error
            raise FunctionError(name, json.dumps(answer.payload, separators=(",", ":")))
        return answer

    def define(self, name: str, definition: dict[str, Any]) -> str:
        return self.machines.define(name, {"QueryLanguage": "JSONata", **definition})

    def start(self, machine: str, name: str | None = None, value: Any = None) -> str:
        return self.machines.start(machine, name, {} if value is None else value)

    def stop(self, arn: str, error: str, cause: str) -> None:
        self.machines.stop(arn, error, cause)

    def succeed(self, token: str, output: Any) -> None:
        self.machines.succeed(token, output)

    def fail(self, token: str, error: str, cause: str) -> None:
        self.machines.fail(token, error, cause)

    def heartbeat(self, token: str) -> None:
        self.machines.heartbeat(token)

    def called(self, name: str, times: int = 1) -> Any:
        while True:
            found = [payload for called, payload in self.script.calls if called == name]
            if len(found) >= times:
                return found[times - 1]
            assert self.kernel.next_at() is not None, f"{name} is never called"
            self.kernel.step()

    def end(self, arn: str) -> Ended:
        run = self.machines.describe(arn)
        self.kernel.wait(run.ended, FOREVER)
        return Ended(run.status, run.output, run.error, read(run.cause))

    def status(self, name: str) -> str:
        return next(run.status for run in self.machines.executions if run.name == name)

    def summary(self) -> Summary:
        executions = self.machines.executions
        for run in executions:
            self.end(run.arn)
        told = [event["detail"] for event in self.events]
        return Summary(
            [(name, plain(payload)) for name, payload in self.script.calls],
            {
                run.name: Ended(run.status, plain(run.output), run.error, read(run.cause))
                for run in executions
            },
            {run.name: [each["status"] for each in told if each["name"] == run.name] for run in executions},
            [moment.detail for run in executions for moment in run.history if moment.kind == "retried"],
        )
