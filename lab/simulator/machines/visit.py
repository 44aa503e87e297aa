"""A walk through states, and a visit to one of them: what it sees, and what ends with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from lab.simulator.kernel import Kernel, Promise, Task
from lab.simulator.machines.definition import Flow, State
from lab.simulator.machines.errors import StateFailed
from lab.simulator.machines.execution import LARGEST, MOST_EVENTS, Execution, Machine, Moment, encoded, iso
from lab.simulator.machines.templates import Template

# The largest number that a field in seconds takes.
_LARGEST_NUMBER = 99_999_999


class Coverage:
    """The states that executions entered and the transitions that they made, counted."""

    def __init__(self) -> None:
        # By (machine, state), and by (machine, from, to).
        self.states: Counter[tuple[str, str]] = Counter()
        self.transitions: Counter[tuple[str, str, str]] = Counter()

    def entered(self, machine: str, state: str) -> None:
        self.states[machine, state] += 1

    def add(self, other: Coverage) -> None:
        """Count what another one counted, too."""
        self.states += other.states
        self.transitions += other.transitions

    def missing(self, machine: Machine) -> tuple[list[str], list[tuple[str, str]]]:
        """The machine's states and transitions that nothing covered, in the definition's order."""
        states = [state.name for state in machine.definition.flow.every()]
        transitions = machine.definition.transitions()
        return (
            [name for name in states if (machine.name, name) not in self.states],
            [each for each in transitions if (machine.name, *each) not in self.transitions],
        )

    def went(self, machine: str, state: str, following: str) -> None:
        self.transitions[machine, state, following] += 1


class Service(Protocol):
    """What walks need of Step Functions: see `Machines`."""

    kernel: Kernel
    covered: Coverage
    known: dict[str, Any]
    role: str
    invoke: Callable[[str, Any], Any]

    def start(self, machine_arn: str, name: str | None, value: Any) -> str: ...

    def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> None: ...

    def describe(self, arn: str) -> Execution: ...

    def token(self, waiting: Waiting) -> str: ...

    def jitter(self, run: Execution) -> float: ...

    def crash(self, error: BaseException) -> None: ...


class Walk:
    """From a flow's first state to its last, with variables of its own."""

    def __init__(
        self,
        machines: Service,
        run: Execution,
        flow: Flow,
        variables: dict[str, Any],
        item: dict[str, Any] | None = None,
    ) -> None:
        self.machines, self.run, self.flow, self.variables, self.item = machines, run, flow, variables, item
        self.given_up = False
        # The kernel's task that walks, when it is this walk's own.
        self.task: Task | None = None
        # Walks of branches and items, and the executions that a state waits for.
        self.inner: list[Walk] = []
        self.followed: list[Execution] = []

    def counted(self, events: int) -> None:
        """Count events of the history; AWS ends an execution that has too many."""
        self.run.events += events
        if self.run.events > MOST_EVENTS:
            raise StateFailed(
                "States.Runtime",
                f"The execution reached the maximum number of history events ({MOST_EVENTS}).",
            )

    def give_up(self) -> None:
        """End here, with all that this walk began but functions: nothing calls those back."""
        self.given_up = True
        if self.task is not None:
            self.task.kill()
        for walk in self.inner:
            walk.give_up()
        for run in self.followed:
            self.machines.stop(run.arn)


class Waiting:
    """A task that waits for its token."""

    def __init__(self, walk: Walk, now: float) -> None:
        self.walk = walk
        self.answer: Promise[Any] = Promise()
        self.beat = now

    @property
    def over(self) -> bool:
        """No answer changes anything any more."""
        return self.answer.done or self.walk.given_up


class Visit:
    """A state that is being executed: what its expressions see."""

    def __init__(self, walk: Walk, state: State, value: Any) -> None:
        self.walk, self.of, self.input = walk, state, value
        self.state = state.name
        self.variables = walk.variables
        self.known = walk.machines.known
        self.entered = walk.machines.kernel.now()
        self.retries = 0
        self.token: str | None = None
        # $states.result and $states.errorOutput, when there are.
        self.more: dict[str, Any] = {}
        self.item: dict[str, Any] | None = walk.item
        self._states: dict[str, Any] | None = None

    def states(self) -> dict[str, Any]:
        if self._states is None:
            self._states = {"input": self.input, "context": self._context(), **self.more}
        return self._states

    def knows(self, **more: Any) -> Visit:
        """From here on expressions see this too."""
        self.more |= more
        self._states = None
        return self

    def again(self) -> None:
        """Forget what the last attempt left."""
        self.more, self._states = {}, None

    def with_item(self, index: int, value: Any) -> None:
        """The item of a Map that expressions see."""
        self.item, self._states = {"Index": index, "Value": value}, None

    def _context(self) -> dict[str, Any]:
        run = self.walk.run
        context: dict[str, Any] = {
            "Execution": {
                "Id": run.arn,
                "Input": run.input,
                "Name": run.name,
                "RoleArn": self.walk.machines.role,
                "StartTime": iso(run.start),
            },
            "State": {"EnteredTime": iso(self.entered), "Name": self.state, "RetryCount": self.retries},
            "StateMachine": {"Id": run.machine.arn, "Name": run.machine.name},
        }
        if self.token is not None:
            context["Task"] = {"Token": self.token}
        if self.item is not None:
            context["Map"] = {"Item": self.item}
        return context

    def filled(self, name: str, default: Any = None) -> Any:
        """A field of the definition, with its expressions evaluated."""
        found = self.of.filled.get(name)
        return default if found is None else found.fill(self)

    def whole(self, name: str, least: int) -> int | None:
        """A field that must be a whole number; None when the state does not have it."""
        value = self.filled(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
            raise self.wrong(name, f"{value!r} is no whole number")
        if not least <= value <= _LARGEST_NUMBER:
            raise self.wrong(name, f"{value!r} is not from {least} to {_LARGEST_NUMBER}")
        return int(value)

    def wrong(self, name: str, why: str) -> StateFailed:
        text = f"An error occurred while executing the state '{self.state}'. The field '{name}': {why}"
        return StateFailed("States.QueryEvaluationError", text)

    def bounded(self, value: Any, what: str) -> bytes:
        """The value as JSON.

        Raises
        ------
        StateFailed
            It is larger than Step Functions carries.
        """
        text = encoded(value)
        if len(text) > LARGEST:
            raise StateFailed(
                "States.DataLimitExceeded",
                f"The state/task '{self.state}' has {what} with a size exceeding the maximum number of bytes"
                " service limit.",
            )
        return text

    def note(self, kind: str, detail: Any = "") -> None:
        self.walk.run.history.append(Moment(self.walk.machines.kernel.now(), kind, self.state, detail))

    def leave(self, value: Any, assign: dict[str, Template], output: Template | None) -> Any:
        """The state's output; its variables are assigned. All expressions see the variables as they were."""
        assigned = {name: each.fill(self) for name, each in assign.items()}
        if assigned:
            self.bounded(assigned, "variables")
        if output is not None:
            value = output.fill(self)
        if value is not self.input:
            self.bounded(value, "an output")
        self.variables.update(assigned)
        return value
