"""What tasks do: the integrations with Lambda and with Step Functions itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.simulator.kernel import Killed, Late, Promise, Task
from lab.simulator.machines.errors import FunctionError, Refused, StateFailed
from lab.simulator.machines.execution import Execution, decoded, encoded, iso, milliseconds
from lab.simulator.machines.visit import Visit, Waiting

_LAMBDA = "arn:aws:states:::lambda:invoke"
_START = "arn:aws:states:::states:startExecution"
# Events of an attempt beside those of the state: scheduled, started, ended; one more where it is waited for.
_EVENTS = 3


def perform(visit: Visit) -> Any:
    """One attempt of a task; its result.

    Raises
    ------
    StateFailed
        It failed, or took longer than its TimeoutSeconds.
    """
    visit.walk.counted(_EVENTS)
    resource = visit.of.resource
    if resource.endswith(".waitForTaskToken"):
        return _with_token(visit)
    arguments = _arguments(visit)
    timeout = visit.whole("TimeoutSeconds", 1)
    if resource == _LAMBDA:
        return _answered(visit, _invoked(visit, arguments), timeout)
    if resource == _START:
        run = _started(visit, arguments)
        return {"ExecutionArn": run.arn, "StartDate": milliseconds(run.start)}
    if resource == f"{_START}.sync:2":
        return _followed(visit, _started(visit, arguments), timeout)
    return _stopped(visit, arguments)


def _arguments(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.filled("Arguments")
    visit.bounded(found, "arguments")
    return found


def _timed_out(visit: Visit) -> StateFailed:
    return StateFailed("States.Timeout", f"The state '{visit.state}' took longer than its TimeoutSeconds.")


# --- Lambda ------------------------------------------------------------------------------------


def _invoked(visit: Visit, arguments: dict[str, Any]) -> Task:
    """The invocation, in a task of its own: it goes on when nobody waits for it any more."""
    machines = visit.walk.machines
    name = arguments["FunctionName"]
    if name.startswith("arn:"):
        name = name.split(":")[6]
    # The function gets a copy: what it does with it changes nothing here.
    payload = decoded(encoded(arguments.get("Payload", {})))
    visit.note("called", name)

    def call() -> Any:
        try:
            return machines.invoke(name, payload)
        except FunctionError as failed:
            raise StateFailed(failed.error, failed.cause) from failed
        except Exception as error:
            machines.crash(error)
            raise

    return machines.kernel.spawn(call, f"{visit.walk.run.name}/{name}")


def _answered(visit: Visit, task: Task, timeout: float | None) -> dict[str, Any]:
    try:
        answer = visit.walk.machines.kernel.wait(task, timeout)
    except Late:
        raise _timed_out(visit) from None
    except Killed:
        raise _lost(task) from None
    result = {"ExecutedVersion": "$LATEST", "StatusCode": 200, "Payload": answer}
    copied: dict[str, Any] = decoded(visit.bounded(result, "a result"))
    return copied


def _lost(task: Task) -> BaseException:
    # Either the invocation was killed, which Step Functions cannot name, or who waited for it.
    return StateFailed("Lambda.Unknown", "The function's answer was lost.") if task.killed else Killed()


def _with_token(visit: Visit) -> Any:
    machines = visit.walk.machines
    kernel = machines.kernel
    waiting = Waiting(visit.walk, kernel.now())
    visit.token = machines.token(waiting)
    visit.again()
    try:
        arguments = _arguments(visit)
        timeout = visit.whole("TimeoutSeconds", 1)
        heartbeat = visit.whole("HeartbeatSeconds", 1)
        deadline = None if timeout is None else kernel.now() + timeout
        visit.walk.counted(1)
        task = _invoked(visit, arguments)
        task.then(lambda: _fail_with(waiting.answer, task))
        while True:
            limits = [deadline] if deadline is not None else []
            limits += [waiting.beat + heartbeat] if heartbeat is not None else []
            try:
                answer = kernel.wait(waiting.answer, min(limits) - kernel.now() if limits else None)
            except Late:
                if deadline is not None and kernel.now() >= deadline:
                    raise _timed_out(visit) from None
                if heartbeat is not None and kernel.now() >= waiting.beat + heartbeat:
                    text = f"The state '{visit.state}' gave no sign of life for its HeartbeatSeconds."
                    raise StateFailed("States.Timeout", text, ("States.HeartbeatTimeout",)) from None
            else:
                visit.bounded(answer, "a result")
                return answer
    finally:
        # Whatever the attempt ended with, its token is over; the next one has its own.
        waiting.answer.fail(Late())
        visit.token = None
        visit.again()


def _fail_with(answer: Promise[Any], task: Task) -> None:
    if task.error is not None:
        answer.fail(_lost(task) if isinstance(task.error, Killed) else task.error)


# --- Step Functions ------------------------------------------------------------------------------


def _called(service: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Refused as refused:
        raise StateFailed(f"{service}.{refused.code}Exception", refused.message) from refused


def _started(visit: Visit, arguments: dict[str, Any]) -> Execution:
    machines = visit.walk.machines
    visit.note("called", arguments["StateMachineArn"].rpartition(":")[2])
    arn = _called(
        "StepFunctions",
        lambda: machines.start(
            arguments["StateMachineArn"], arguments.get("Name"), arguments.get("Input", {})
        ),
    )
    return machines.describe(arn)


def _followed(visit: Visit, run: Execution, timeout: float | None) -> dict[str, Any]:
    visit.walk.counted(1)
    visit.walk.followed.append(run)
    try:
        visit.walk.machines.kernel.wait(run.ended, timeout)
    except Late:
        raise _timed_out(visit) from None
    finally:
        visit.walk.followed.remove(run)
    if run.status != "SUCCEEDED":
        raise StateFailed("States.TaskFailed", encoded(run.described()).decode())
    found = run.described()
    visit.bounded(found, "a result")
    return found


def _stopped(visit: Visit, arguments: dict[str, Any]) -> dict[str, Any]:
    machines = visit.walk.machines
    arn = arguments["ExecutionArn"]
    visit.note("called", f"stop {arn.rpartition(':')[2]}")
    _called("Sfn", lambda: machines.stop(arn, arguments.get("Error"), arguments.get("Cause")))
    return {"StopDate": iso(machines.describe(arn).stop or 0.0)}
