"""What happens when a state fails: retriers first, then catchers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.simulator.machines.definition import Retrier
from lab.simulator.machines.errors import StateFailed
from lab.simulator.machines.visit import Visit

# Neither of these is an error that States.ALL or States.TaskFailed would stand for.
_TERMINAL = {"States.DataLimitExceeded", "States.Runtime"}

# A state's output, and the next state; None at the end.
Outcome = tuple[Any, str | None]


def attempted(visit: Visit, attempt: Callable[[], Any]) -> Outcome:
    """Try, by the state's retriers, then its catchers."""
    tried = [0] * len(visit.of.retry)
    while True:
        visit.again()
        try:
            visit.knows(result=attempt())
            return visit.leave(visit.more["result"], visit.of.assign, visit.of.output), visit.of.next
        except StateFailed as failure:
            visit.note("failed", failure.error)
            pause = _pause(visit, failure, tried)
            if pause is None:
                return _caught(visit, failure)
            visit.note("retried", pause)
            visit.retries += 1
            visit.walk.machines.kernel.sleep(pause)


def _named(errors: frozenset[str], failure: StateFailed) -> bool:
    if failure.error in errors or any(name in errors for name in failure.also):
        return True
    if failure.error in _TERMINAL:
        return False
    return "States.ALL" in errors or ("States.TaskFailed" in errors and failure.error != "States.Timeout")


def _pause(visit: Visit, failure: StateFailed, tried: list[int]) -> float | None:
    """Seconds until the next attempt, by the first retrier that names the error; each has its own count."""
    for at, retrier in enumerate(visit.of.retry):
        if _named(retrier.errors, failure):
            if tried[at] >= retrier.attempts:
                return None
            tried[at] += 1
            pause = _backoff(retrier, tried[at])
            return pause * visit.walk.machines.jitter(visit.walk.run) if retrier.jitter else pause
    return None


def _backoff(retrier: Retrier, attempt: int) -> float:
    try:
        return min(retrier.interval * retrier.rate ** (attempt - 1), retrier.most)
    except OverflowError:
        return retrier.most


def _caught(visit: Visit, failure: StateFailed) -> Outcome:
    for catcher in visit.of.catch:
        if _named(catcher.errors, failure):
            visit.note("caught", catcher.next)
            output = failure.output()
            visit.again()
            visit.knows(errorOutput=output)
            return visit.leave(output, catcher.assign, catcher.output), catcher.next
    raise failure
