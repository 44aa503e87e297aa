"""The state machines of `statemachines/` as a pure function: what an execution does next, after an answer.

The simulator's parser reads the definitions and its templates fill them in; only the walk is another one, because
here it is a value that can be gone on with in many ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from candlefish.errors import PACES
from lab import expressions
from lab.simulator.machines.definition import Catcher, Definition, State
from lab.simulator.machines.parse import define
from lab.simulator.template import Machine
from tests.exploration.subject import decode, encode

INVOKE = "arn:aws:states:::lambda:invoke"
START = "arn:aws:states:::states:startExecution"
FOLLOW = f"{START}.sync:2"
LOOKS = frozenset(error.__name__ for error in PACES.values())
STOP = "arn:aws:states:::aws-sdk:sfn:stopExecution"


class At(msgspec.Struct, frozen=True):
    """Where an execution is: a state, its input and its variables."""

    state: str
    value: bytes
    variables: bytes = b"{}"
    # How often its task has failed; counted where a task waits for an answer, which names the attempt.
    attempt: int = 0


# The time to answer is over sooner than in the product, for there are few moves.
ASKS, UNANSWERED = ".waitForTaskToken", 60.0


class Task(msgspec.Struct, frozen=True):
    """It waits for a task: a function's name, or what it asks Step Functions for."""

    at: At
    resource: str
    arguments: bytes


class Wait(msgspec.Struct, frozen=True):
    """It waits until a time, epoch seconds. `again`: to take a look anew that was not finished (`errors.NotYet`)."""

    at: At
    until: float
    again: bool = False
    # Whose answer ends it sooner.
    token: str = ""


class End(msgspec.Struct, frozen=True):
    """It has ended."""

    status: str
    output: bytes = b"null"


Step = Task | Wait | End


class Failure(msgspec.Struct, frozen=True):
    """A task failed. `for_good`: its retries are used up."""

    error: str
    cause: str
    for_good: bool = False


@dataclass
class _Seen:
    """What expressions see (`templates.Bound`)."""

    state: str
    variables: dict[str, Any]
    of: dict[str, Any]
    known: dict[str, Any]

    def states(self) -> dict[str, Any]:
        return self.of


class Walker:
    """Walks executions of one machine. `asks`: people are asked; otherwise nobody is there, and their time passes."""

    def __init__(self, machine: Machine, *, asks: bool = False) -> None:
        self.arn, self._asks = machine.arn, asks
        self._definition: Definition = define(machine.definition)
        self._now = 0.0
        self._known = expressions.functions(millis=lambda: round(self._now * 1000))

    def begin(self, name: str, value: bytes, now: float) -> Step:
        """From the first state to where it has to wait for something."""
        return self._walk(name, At(self._definition.flow.start, value), now)

    def retries(self, at: At, error: str) -> bool:
        """Whether the state tries again after this error: the first retrier that names it says so, also that it does not."""
        attempts = (each.attempts for each in self._state(at).retry if _names(each.errors, error))
        return next(attempts, 0) > 0

    def answered(self, name: str, at: At, answer: Any, now: float) -> Step:
        """The state's task was answered: on to where it has to wait next."""
        state = self._state(at)
        seen = self._seen(name, at, now, result=answer)
        return self._leave(name, state, seen, answer, state.assign, state.output, state.next, now)

    def failed(self, name: str, at: At, failure: Failure, now: float) -> Step:
        """The state's task failed: again, or to where a catcher leads."""
        state = self._state(at)
        if failure.error in LOOKS:
            pauses = [each.interval for each in state.retry if failure.error in each.errors]
            return Wait(at, now + pauses[0], again=True)
        if not failure.for_good and self.retries(at, failure.error):
            return self._walk(name, self._once_more(state, at), now)
        for catcher in state.catch:
            if _names(catcher.errors, failure.error):
                return self._caught(name, state, at, catcher, failure, now)
        return End("FAILED")

    def waited(self, name: str, wait: Wait, now: float) -> Step:
        """The time has come that it waited for."""
        if wait.again:
            return self._walk(name, wait.at, now)
        if self._state(wait.at).resource.endswith(ASKS):
            over = Failure("States.Timeout", "nobody answered", for_good=not self._asks)
            return self.failed(name, wait.at, over, now)
        return self._pass(name, self._state(wait.at), wait.at, now)

    def asked(self, at: At, token: str, now: float) -> Step:
        """The function that asks has ended: the state waits for the answer to its token."""
        return Wait(at, now + UNANSWERED, token=token)

    def _once_more(self, state: State, at: At) -> At:
        counted = self._asks and state.resource.endswith(ASKS)
        return msgspec.structs.replace(at, attempt=at.attempt + 1) if counted else at

    def _state(self, at: At) -> State:
        return self._definition.flow.states[at.state]

    def _seen(self, name: str, at: At, now: float, **more: Any) -> _Seen:
        self._now = now
        arn = f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"
        execution = {"Id": arn, "Name": name}
        context = {"Execution": execution, "Task": {"Token": f"{name} {now:.0f} {at.attempt}"}}
        states = {"input": decode(at.value), "context": context, **more}
        return _Seen(at.state, decode(at.variables), states, self._known)

    def _walk(self, name: str, at: At, now: float) -> Step:
        state = self._state(at)
        match state.kind:
            case "Task" if state.resource.endswith(ASKS) and not self._asks:
                return Wait(at, now + UNANSWERED)
            case "Task":
                arguments = state.filled["Arguments"].fill(self._seen(name, at, now))
                return Task(at, state.resource, encode(arguments))
            case "Wait":
                seconds = state.filled["Seconds"].fill(self._seen(name, at, now))
                return Wait(at, now + seconds)
            case "Fail":
                return End("FAILED")
            case "Choice":
                return self._choose(name, state, at, now)
            case "Pass" | "Succeed":
                return self._pass(name, state, at, now)
        raise NotImplementedError(f"{state.name} is a {state.kind}, which no explored machine has")

    def _choose(self, name: str, state: State, at: At, now: float) -> Step:
        seen = self._seen(name, at, now)
        for rule in state.rules:
            if rule.condition.fill(seen) is True:
                value = seen.of["input"]
                return self._leave(name, state, seen, value, rule.assign, rule.output, rule.next, now)
        return self._pass(name, state, at, now)

    def _pass(self, name: str, state: State, at: At, now: float) -> Step:
        seen = self._seen(name, at, now)
        value = seen.of["input"]
        return self._leave(name, state, seen, value, state.assign, state.output, state.next, now)

    def _caught(
        self, name: str, state: State, at: At, catcher: Catcher, failure: Failure, now: float
    ) -> Step:
        output = {"Error": failure.error, "Cause": failure.cause}
        seen = self._seen(name, at, now, errorOutput=output)
        return self._leave(name, state, seen, output, catcher.assign, catcher.output, catcher.next, now)

    def _leave(
        self,
        name: str,
        state: State,
        seen: _Seen,
        value: Any,
        assign: Any,
        output: Any,
        following: str | None,
        now: float,
    ) -> Step:
        assigned = {variable: each.fill(seen) for variable, each in assign.items()}
        value = value if output is None else output.fill(seen)
        if following is None:
            return End("SUCCEEDED", encode(value))
        return self._walk(name, At(following, encode(value), encode({**seen.variables, **assigned})), now)


def _names(errors: frozenset[str], error: str) -> bool:
    if error in errors or "States.ALL" in errors:
        return True
    return "States.TaskFailed" in errors and error != "States.Timeout"
