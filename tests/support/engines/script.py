"""What functions answer in a test, and what they were asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Fails:
    """An answer: the function raises; `by_service` when Lambda itself refuses the call."""

    error: str
    message: str = "it failed"
    by_service: bool = False

    @property
    def payload(self) -> dict[str, str]:
        """What Lambda answers for it."""
        return {"errorMessage": self.message, "errorType": self.error}


class Script:
    """Function -> its answers, one after the other; the last one again and again.

    An answer can be called: it gets the payload and gives the answer.
    """

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        self._answers = {name: list(each) for name, each in answers.items()}
        self._turn = threading.Lock()
        self.calls: list[tuple[str, Any]] = []

    def answer(self, name: str, payload: Any) -> Any:
        """The next answer of a function; `Fails` is one, too."""
        with self._turn:
            self.calls.append((name, payload))
            answers = self._answers[name]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(payload) if callable(answer) else answer


@dataclass(frozen=True)
class Ended:
    """How an execution ended; `cause` as a value where it is JSON."""

    status: str
    output: Any = None
    error: str | None = None
    cause: Any = None


@dataclass
class Summary:
    """All of a run that both engines must have in common."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    ended: dict[str, Ended] = field(default_factory=dict)
    # By the execution's name: the statuses that were announced.
    told: dict[str, list[str]] = field(default_factory=dict)
    # What retriers waited, in seconds; chance has a part in it, so two runs need not be alike in this.
    pauses: list[float] = field(default_factory=list, compare=False)


class Engine(Protocol):
    """An engine that runs machines with scripted functions. Its calls raise `Refused` with AWS's code."""

    script: Script

    def define(self, name: str, definition: dict[str, Any]) -> str: ...

    def start(self, machine: str, name: str | None = None, value: Any = None) -> str: ...

    def stop(self, arn: str, error: str, cause: str) -> None: ...

    def succeed(self, token: str, output: Any) -> None: ...

    def fail(self, token: str, error: str, cause: str) -> None: ...

    def heartbeat(self, token: str) -> None: ...

    def called(self, name: str, times: int = 1) -> Any:
        """Let it run until a function was called so often; the payload."""

    def end(self, arn: str) -> Ended:
        """Let an execution run to its end."""

    def status(self, name: str) -> str:
        """Of the execution of that name, now."""

    def summary(self) -> Summary: ...


# Moments and tokens; and details, whose spelling moto has wrong.
_OWN = {"StartDate", "StopDate", "token", "InputDetails", "OutputDetails"}


def plain(value: Any) -> Any:
    """Without what no two runs have in common: moments and tokens. A text that quotes an execution's
    description ends before that."""
    if isinstance(value, str):
        return value.partition("ExecutionArn")[0]
    if isinstance(value, dict):
        return {name: "?" if name in _OWN else plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def read(text: Any) -> Any:
    """A cause as a value, where it is JSON."""
    try:
        return plain(json.loads(text))
    except (TypeError, ValueError):
        return plain(text)


def in_any_order(engine: Engine) -> None:
    """Order the calls of what ran side by side, when it is over."""
    engine.summary()
    engine.script.calls.sort(key=str)
