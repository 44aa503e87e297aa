"""What states do, kind by kind, and the walk from one to the next."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from lab.simulator.kernel import Killed, Promise, Task
from lab.simulator.machines import tasks
from lab.simulator.machines.attempts import Outcome, attempted
from lab.simulator.machines.definition import Flow
from lab.simulator.machines.errors import StateFailed
from lab.simulator.machines.visit import Visit, Walk

# What an inline Map runs at once at most.
_AT_ONCE = 40
# Events that AWS writes for a state that is entered and left.
_ENTERED_AND_LEFT = 2


def walk(through: Walk, value: Any) -> Any:
    """The last state's output.

    Raises
    ------
    StateFailed
        A state failed, and nothing caught it.
    """
    name: str | None = through.flow.start
    covered = through.machines.covered
    machine = through.run.machine.name
    while name is not None:
        if through.given_up:
            raise Killed
        state = through.flow.states[name]
        through.counted(_ENTERED_AND_LEFT)
        covered.entered(machine, name)
        visit = Visit(through, state, value)
        visit.note("entered")
        value, following = _KINDS[state.kind](visit)
        if following is not None:
            covered.went(machine, name, following)
        visit.note("left", following or "")
        name = following
    return value


def _pass(visit: Visit) -> Outcome:
    state = visit.of
    return visit.leave(visit.input, state.assign, state.output), state.next


def _fail(visit: Visit) -> Outcome:
    texts = {name: visit.filled(name) for name in ("Error", "Cause")}
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise visit.wrong(name, f"{text!r} is no text")
    raise StateFailed(texts["Error"], texts["Cause"])


def _choice(visit: Visit) -> Outcome:
    for rule in visit.of.rules:
        holds = rule.condition.fill(visit)
        if not isinstance(holds, bool):
            raise visit.wrong("Condition", f"{holds!r} is not true or false")
        if holds:
            return visit.leave(visit.input, rule.assign, rule.output), rule.next
    if visit.of.next is None:
        # The documents keep States.NoChoiceMatched for later and name this instead.
        raise StateFailed("States.Runtime", f"Failed to transition out of the state '{visit.state}'.")
    return _pass(visit)


def _wait(visit: Visit) -> Outcome:
    kernel = visit.walk.machines.kernel
    seconds: float | None = visit.whole("Seconds", 0)
    if seconds is None:
        text = visit.filled("Timestamp")
        try:
            seconds = datetime.datetime.fromisoformat(text).timestamp() - kernel.now()
        except (TypeError, ValueError):
            raise visit.wrong("Timestamp", f"{text!r} is no ISO 8601 timestamp") from None
    if seconds > 0:
        kernel.sleep(seconds)
    return _pass(visit)


def _task(visit: Visit) -> Outcome:
    return attempted(visit, lambda: tasks.perform(visit))


def _parallel(visit: Visit) -> Outcome:
    def branches() -> list[Any]:
        value = visit.filled("Arguments", visit.input)
        return _together(visit, [(flow, value, None) for flow in visit.of.flows], _AT_ONCE)

    return attempted(visit, branches)


def _map(visit: Visit) -> Outcome:
    def each() -> list[Any]:
        items = visit.filled("Items", visit.input)
        if not isinstance(items, list):
            raise visit.wrong("Items", "is no array")
        at_once = visit.whole("MaxConcurrency", 0) or _AT_ONCE
        flow, outer, work = visit.of.flows[0], visit.item, []
        for index, value in enumerate(items):
            visit.with_item(index, value)
            selected = visit.filled("ItemSelector", value)
            work.append((flow, selected, visit.item))
        visit.item = outer
        visit.again()
        return _together(visit, work, min(at_once, _AT_ONCE))

    return attempted(visit, each)


_KINDS: dict[str, Callable[[Visit], Outcome]] = {
    "Pass": _pass,
    "Succeed": _pass,
    "Fail": _fail,
    "Choice": _choice,
    "Wait": _wait,
    "Task": _task,
    "Parallel": _parallel,
    "Map": _map,
}


# --- branches --------------------------------------------------------------------------------


def _together(visit: Visit, work: list[tuple[Flow, Any, Any]], at_once: int) -> list[Any]:
    """The outputs of walks that run at once, in their order; the first that fails ends the others."""
    machines, run, outer = visit.walk.machines, visit.walk.run, visit.walk
    visit.walk.counted(2 * len(work))
    walks = [Walk(machines, run, flow, dict(outer.variables), item) for flow, _, item in work]
    outer.inner += walks
    try:
        if at_once == 1:
            # One after the other needs no tasks of their own.
            return [walk(each, value) for each, (_, value, _) in zip(walks, work, strict=True)]
        return _at_once(visit, walks, [value for _, value, _ in work], at_once)
    except StateFailed:
        for each in walks:
            each.give_up()
        raise
    finally:
        outer.inner = [each for each in outer.inner if each not in walks]


def _at_once(visit: Visit, walks: list[Walk], values: list[Any], at_once: int) -> list[Any]:
    kernel = visit.walk.machines.kernel
    outputs: list[Any] = [None] * len(walks)
    over: Promise[None] = Promise()
    waiting = list(range(len(walks)))[::-1]
    ended = [0]

    def begin() -> None:
        if waiting:
            at = waiting.pop()
            branch, value = walks[at], values[at]
            branch.task = task = kernel.spawn(
                lambda: walk(branch, value), f"{visit.walk.run.name}/{visit.state}[{at}]"
            )
            task.then(lambda: end(at, task))

    def end(at: int, task: Task) -> None:
        if task.error is not None:
            over.fail(task.error)
            return
        outputs[at] = task.value
        ended[0] += 1
        if ended[0] == len(walks):
            over.keep(None)
        begin()

    for _ in range(min(at_once, len(walks))):
        begin()
    if walks:
        kernel.wait(over)
    return outputs
