"""Executions of the control plane's machines, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candlefish.ports import Execution


class FakeExecutions:
    """`ports.Executions`: remembers what was started and answered."""

    def __init__(self) -> None:
        self.known: dict[str, Execution] = {}
        self.started: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[tuple[str, str]] = []

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        arn = self.arn(machine, name)
        if arn not in self.known:
            self.known[arn] = Execution(arn, "RUNNING")
            self.started.append((machine, name, dict(payload)))
        return arn

    def arn(self, machine: str, name: str) -> str:
        return f"arn:{machine}:{name}"

    def status(self, arn: str) -> Execution:
        return self.known.get(arn, Execution(arn, "UNKNOWN"))

    def find(self, machine: str, name: str) -> Execution | None:
        return self.known.get(f"arn:{machine}:{name}")

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        self.answers.append((token, "success"))

    def fail(self, token: str, *, error: str, cause: str) -> None:
        self.answers.append((token, error))
