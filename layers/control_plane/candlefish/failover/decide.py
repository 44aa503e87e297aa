"""The next move of a run: a pure function of the run, the world and the time.

Steps are looked at in order; the first that is not done decides. Nothing is remembered of acts but
that they were intended, so a run that was killed anywhere goes on from what is true.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.catalog.model import Environment
from candlefish.failover.facts import FailoverWorld
from candlefish.failover.model import FailoverStep, Pace, Question, Run
from candlefish.failover.record import note_reached
from candlefish.failover.steps.application import cron_in_both
from candlefish.failover.steps.kinds import KINDS
from candlefish.failover.steps.step import Scene, StepProgress

ATTEMPTS = 3


class Move(msgspec.Struct, frozen=True):
    """What to do now. `reached` are the steps that were found done, with their evidence."""

    kind: Literal["act", "wait", "ask", "stop", "done"]
    reason: str
    step: FailoverStep | None = None
    asks: Question | None = None
    reached: tuple[tuple[FailoverStep, str, dict[str, Any]], ...] = ()


def next_move(run: Run, world: FailoverWorld, environment: Environment, pace: Pace) -> Move:
    """What the run should do next, at the time the world was read."""
    now = world.at
    reached: list[tuple[FailoverStep, str, dict[str, Any]]] = []
    since = max(run.requested_at, run.resumed_at)
    current = run
    for step in run.steps:
        state = current.state(step)
        if state.done_at and not _must_hold(current, step):
            since = max(since, state.done_at)
            continue
        progress = KINDS[step.kind].judge(Scene(step, current, world, environment))
        redone = progress.state == "done" and state.intended_at > state.done_at
        # What was done and cannot be seen any more is taken as done; what was undone is not, at rest or in motion.
        undone = progress.state in ("todo", "waiting")
        if state.done_at and not undone and not redone:
            since = max(since, state.done_at)
            continue
        if progress.state == "done":
            reached.append((step, progress.reason, progress.evidence))
            current = note_reached(current, step, progress.evidence, now)
            since = now
            continue
        since = max(since, state.intended_at, *(a.at for a in run.answers.values()), 0.0)
        return _unfinished(step, progress, current, tuple(reached), now, since, pace)
    left = cron_in_both(current, world, environment)
    return Move("done", f"every step of the plan is done{left and f'; {left}'}", reached=tuple(reached))


def _must_hold(run: Run, step: FailoverStep) -> bool:
    """Whether a finished step is looked at again: the fence, until the promotion was asked for."""
    until = KINDS[step.kind].holds_until
    promotion = run.state(FailoverStep(until, step.subject))
    return bool(until) and not promotion.intended_at and not promotion.done_at


def _unfinished(
    step: FailoverStep,
    progress: StepProgress,
    run: Run,
    reached: tuple[tuple[FailoverStep, str, dict[str, Any]], ...],
    now: float,
    since: float,
    pace: Pace,
) -> Move:
    state = run.state(step)
    if progress.state == "blocked":
        kind: Literal["ask", "stop"] = "ask" if progress.asks else "stop"
        return Move(kind, progress.reason, step, progress.asks, reached)
    overdue = now - since > pace.within
    if overdue:
        return Move(
            "stop",
            f"{step.key} has not come about for {now - since:.0f} s: {progress.reason}; "
            "find out why, then start the same failover again: it goes on from here",
            step,
            reached=reached,
        )
    # A step that was undone since it was done (a fence that was opened) is acted on at once.
    fresh = state.intended_at > state.done_at and now - state.intended_at < pace.settle
    if progress.state == "waiting" or (fresh and not state.failed):
        why = (
            progress.reason
            if progress.state == "waiting"
            else f"asked for, does not show yet: {progress.reason}"
        )
        return Move("wait", why, step, reached=reached)
    if state.attempts >= ATTEMPTS and state.failed:
        return Move(
            "stop",
            f"{step.key} was refused {state.attempts} times, last with: {state.failed}; "
            "mend that, then start the same failover again: it goes on from here",
            step,
            reached=reached,
        )
    return Move("act", progress.reason, step, reached=reached)
