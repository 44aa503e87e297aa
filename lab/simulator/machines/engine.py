"""Step Functions in virtual time: machines, their executions, and the calls of its API."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from lab import expressions
from lab.simulator.kernel import Kernel
from lab.simulator.machines.errors import Refused, StateFailed
from lab.simulator.machines.execution import (
    LARGEST,
    Execution,
    Machine,
    Moment,
    Status,
    decoded,
    encoded,
    iso,
)
from lab.simulator.machines.parse import define
from lab.simulator.machines.states import walk
from lab.simulator.machines.visit import Coverage, Waiting, Walk

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_NAME = re.compile(r"""[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]{1,80}""")
# A name can be used again after that many seconds.
_NAME_KEPT = 90 * 86400.0


class Machines:
    """Step Functions.

    Parameters
    ----------
    kernel
        Its clock, its tasks and its chance.
    invoke
        Called with a function's name and its payload, in a task of its own, where it may wait; the payload's
        answer. Raises `FunctionError`; whatever else it raises ends the simulation.
    announce
        Called with the event of each change of an execution's status, as EventBridge has it without an id.
    """

    def __init__(
        self,
        kernel: Kernel,
        invoke: Callable[[str, Any], Any],
        announce: Callable[[dict[str, Any]], None],
        *,
        account: str = "123456789012",
        region: str = "us-west-2",
    ) -> None:
        self.kernel, self.invoke = kernel, invoke
        self.account, self.region = account, region
        self.role = f"arn:aws:iam::{account}:role/states"
        self.machines: dict[str, Machine] = {}
        # In the order of their starts.
        self.executions: list[Execution] = []
        self.covered = Coverage()
        self._announce = announce
        self._by_arn: dict[str, Execution] = {}
        self._waiting: dict[str, Waiting] = {}
        # Of those that run.
        self._walks: dict[str, Walk] = {}
        chance = kernel.chance("jsonata")
        self.known = expressions.functions(
            millis=lambda: round(kernel.now() * 1000),
            now=lambda: iso(kernel.now()),
            uuid=lambda: self._uuid("jsonata"),
            random=lambda seed=None: chance.random() if seed is None else expressions.seeded(seed),
        )

    def define(self, name: str, definition: dict[str, Any]) -> str:
        """Make a machine, or change it for executions that begin later; its ARN.

        Raises
        ------
        InvalidDefinition
            The definition has what is unknown, or lacks what is needed.
        """
        arn = f"arn:aws:states:{self.region}:{self.account}:stateMachine:{name}"
        self.machines[arn] = Machine(arn, name, define(definition))
        return arn

    def start(self, machine_arn: str, name: str | None, value: Any) -> str:
        """StartExecution; the execution's ARN. The same name and input as one that runs is that one.

        Raises
        ------
        Refused
            StateMachineDoesNotExist, InvalidName, ExecutionAlreadyExists; ValidationException for an input that is too large.
        """
        machine = self.machines.get(machine_arn)
        if machine is None:
            raise Refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{machine_arn}'")
        name = self._uuid("executions") if name is None else name
        if not _NAME.fullmatch(name):
            raise Refused("InvalidName", f"Invalid Name: '{name}'")
        text = encoded(value)
        if len(text) > LARGEST:
            raise Refused("ValidationException", f"the input must have at most {LARGEST} bytes (UTF-8)")
        arn = self.execution_arn(machine_arn, name)
        earlier = self._by_arn.get(arn)
        if earlier is not None and self._taken(earlier):
            if earlier.status == "RUNNING" and earlier.text == text.decode():
                return arn
            raise Refused("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        run = Execution(arn, machine, name, decoded(text), text.decode(), self.kernel.now())
        self._by_arn[arn] = run
        self.executions.append(run)
        self._announce(run.announcement(self.account, self.region))
        self._begin(run)
        return arn

    def describe(self, arn: str) -> Execution:
        """DescribeExecution.

        Raises
        ------
        Refused
            ExecutionDoesNotExist.
        """
        if arn not in self._by_arn:
            raise Refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return self._by_arn[arn]

    def find(self, machine_arn: str, name: str) -> Execution | None:
        """The machine's execution of that name, if there was one."""
        return self._by_arn.get(self.execution_arn(machine_arn, name))

    @staticmethod
    def execution_arn(machine_arn: str, name: str) -> str:
        """What the ARN of a machine's execution of that name is, whether there is one or not."""
        return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> None:
        """StopExecution: it is ABORTED at once, and what it waits for with .sync is stopped as well.

        One that is over stays as it is. A function that was invoked goes on.

        Raises
        ------
        Refused
            ExecutionDoesNotExist.
        """
        self._end(self.describe(arn), "ABORTED", error=error, cause=cause)

    # --- task tokens -----------------------------------------------------------------------

    def token(self, waiting: Waiting) -> str:
        """A token for a task that waits."""
        made = f"{self.kernel.chance('tokens').getrandbits(256):064x}"
        self._waiting[made] = waiting
        return made

    def succeed(self, token: str, output: Any) -> None:
        """SendTaskSuccess.

        Raises
        ------
        Refused
            InvalidToken, or TaskTimedOut when the task was answered or is over.
        """
        self._waits(token).answer.keep(decoded(encoded(output)))

    def fail(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """SendTaskFailure; refused as `succeed` is."""
        self._waits(token).answer.fail(StateFailed(error, cause))

    def heartbeat(self, token: str) -> None:
        """SendTaskHeartbeat; refused as `succeed` is."""
        self._waits(token).beat = self.kernel.now()

    def _waits(self, token: str) -> Waiting:
        waiting = self._waiting.get(token)
        if waiting is None:
            raise Refused("InvalidToken", f"Invalid Token: '{token}'")
        if waiting.over:
            raise Refused("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        return waiting

    def jitter(self, run: Execution) -> float:
        """From 0 to 1, by a chance of the execution's own."""
        return self.kernel.chance(f"retries of {run.arn}").random()

    # --- executions --------------------------------------------------------------------------

    def crash(self, error: BaseException) -> None:
        """End the simulation: this is no failure that AWS knows."""

        def end() -> None:
            raise error

        self.kernel.later(0, end, "crash")

    def _taken(self, run: Execution) -> bool:
        return run.stop is None or self.kernel.now() < run.stop + _NAME_KEPT

    def _begin(self, run: Execution) -> None:
        definition = run.machine.definition
        root = self._walks[run.arn] = Walk(self, run, definition.flow, {})

        def go() -> None:
            try:
                output = walk(root, run.input)
            except StateFailed as failure:
                self._end(run, "FAILED", error=failure.error, cause=failure.cause)
            except Exception as error:
                self.crash(error)
                raise
            else:
                self._end(run, "SUCCEEDED", output=output)

        root.task = self.kernel.spawn(go, f"execution {run.name}")
        if definition.timeout is not None:
            timer = self.kernel.later(
                definition.timeout, lambda: self._end(run, "TIMED_OUT"), f"timeout {run.name}"
            )
            run.ended.then(timer.cancel)

    def _end(
        self,
        run: Execution,
        status: Status,
        *,
        output: Any = None,
        error: str | None = None,
        cause: str | None = None,
    ) -> None:
        if run.status != "RUNNING":
            return
        run.status, run.output, run.error, run.cause = status, output, error, cause
        run.stop = self.kernel.now()
        run.history.append(Moment(run.stop, status, "", error or ""))
        root = self._walks.pop(run.arn)
        if status in ("ABORTED", "TIMED_OUT"):
            root.give_up()
        self._announce(run.announcement(self.account, self.region))
        run.ended.keep(run)

    def _uuid(self, stream: str) -> str:
        return str(uuid.UUID(int=self.kernel.chance(stream).getrandbits(128), version=4))
