"""The sequential judge: windows in, verdict out. Pure; time is passed in.

`first_state` once per release, `judge` as often as you like with whatever windows came in, `resume` when
the next step begins. Evidence against the canary is carried from step to step, across changes of
weight, so that the chance of a false rollback is `alpha` for the release and not for each step.

A window is consumed once. Windows that overtake an earlier one wait for it until three more have
come in; a window that comes after that, or twice, is ignored. So the verdict depends on the windows
and the order they came in, and not on how the stream was cut into calls.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from math import fsum

import msgspec

from candlefish.analysis import evidence, words
from candlefish.analysis.budgets import shared_breach, watch_budgets
from candlefish.analysis.calibration import Calibration
from candlefish.analysis.model import Breach, Ended, JudgeState, Mode, Verdict, Window
from candlefish.catalog.model import JudgePolicy

# Later windows that may wait for a missing one.
PATIENCE = 3
# A source that is silent for longer than this many windows is not heard from.
SILENCE = 3
# Share of a bake that must have been seen for "nothing happened" to mean anything.
COVERAGE = 0.5


def first_state(
    policy: JudgePolicy,
    since: float,
    mode: Mode = "judge",
    calibration: Mapping[str, Calibration] | None = None,
) -> JudgeState:
    """The state at the beginning of a release, before any window.

    Parameters
    ----------
    since
        When the canary first got traffic, epoch seconds. Windows that begin earlier are not counted.
    mode
        "judge" promotes as soon as the evidence allows; "bake" sits it out until the deadline.
    calibration
        The service's burstiness by metric, from `calibrate`; without it anything is thought possible.
    """
    known = calibration or {}
    return JudgeState(
        since=since,
        mode=mode,
        metrics={
            name: evidence.new(policy, known[name].burst if name in known else evidence.NO_HISTORY)
            for name in metrics(policy)
        },
        breaches=[Breach() for _ in policy.budgets],
        until=since,
    )


def resume(
    policy: JudgePolicy,
    state: JudgeState,
    since: float,
    mode: Mode = "judge",
    recorded: Mapping[str, Calibration] | None = None,
) -> JudgeState:
    """Go on with the next step of the same release.

    `recorded` is given when the baseline from here on is the recorded one (`Window.recorded`): two
    different hours differ by more than two halves of the same minute.
    """
    after = _copy(state)
    for tally in after.metrics.values():
        evidence.begin_step(tally)
    if recorded is not None:
        for name, tally in after.metrics.items():
            spread = recorded[name].drift if name in recorded else evidence.NO_HISTORY
            evidence.respread(tally, spread)
    after.since, after.until, after.mode = since, max(since, after.until), mode
    after.step_windows, after.requests, after.pending, after.promoted = 0, [0, 0], [], None
    after.breaches = [Breach() for _ in policy.budgets]
    return after


def judge(
    policy: JudgePolicy,
    state: JudgeState,
    windows: Sequence[Window],
    now: float,
    deadline: float,
    heard: float = 0.0,
) -> tuple[JudgeState, Verdict]:
    """Consume the windows that came in and say what to do.

    A rollback is final. A promotion is not: windows that come after it are judged too, because a
    version is watched after its promotion as well.

    Parameters
    ----------
    windows
        In the order they came in; any may be late, missing or repeated.
    now, deadline
        Epoch seconds. From `deadline` on the answer is final: promote, roll back or ask.
    heard
        Until when the source has said something, epoch seconds: of windows that are not to be consumed yet as well.
    """
    after = _copy(state)
    for window in windows:
        _accept(policy, after, window)
    if now >= deadline:
        while after.pending:
            _consume(policy, after, after.pending.pop(0))
    return after, _verdict(policy, after, now, deadline, max(heard, after.until))


def fits(policy: JudgePolicy, state: JudgeState) -> bool:
    """Whether a state belongs to a policy of this shape; a deployment may change it in mid-release."""
    fresh = first_state(policy, state.since)
    return (
        state.metrics.keys() == fresh.metrics.keys()
        and len(state.breaches) == len(fresh.breaches)
        and all(
            [len(row) for row in tally.rise] == [len(row) for row in fresh.metrics[name].rise]
            for name, tally in state.metrics.items()
        )
    )


def metrics(policy: JudgePolicy) -> tuple[str, ...]:
    """What is compared: errors, slow requests, and the policy's business counters."""
    return ("errors", "slow", *(counter.name for counter in policy.counters))


def threshold(policy: JudgePolicy) -> float:
    """The evidence that rolls back."""
    return 1 / policy.alpha


def total_evidence(state: JudgeState) -> float:
    """Evidence against the canary over all metrics: the mean, so that the level holds for all together."""
    values = [evidence.against(tally, state.windows) for tally in state.metrics.values()]
    return fsum(values) / len(values)


# --- windows ------------------------------------------------------------------------------------


def _accept(policy: JudgePolicy, state: JudgeState, window: Window) -> None:
    if window.start < state.until - _TINY or any(w.start == window.start for w in state.pending):
        state.ignored += window.start >= state.since
        return
    insort(state.pending, window, key=lambda w: w.start)
    while state.pending:
        first = state.pending[0]
        missing = first.start - state.until >= (first.end - first.start) - _TINY
        if missing and len(state.pending) <= PATIENCE:
            return
        _consume(policy, state, state.pending.pop(0))


def _consume(policy: JudgePolicy, state: JudgeState, window: Window) -> None:
    if state.rolled_back or window.start < state.until - _TINY:
        return
    state.until, state.length = window.end, window.end - window.start
    state.step_windows += 1
    state.requests = [
        state.requests[0] + window.baseline.requests,
        state.requests[1] + window.canary.requests,
    ]
    less = {counter.name for counter in policy.counters if counter.bad == "less"}
    for name, tally in state.metrics.items():
        baseline = (window.baseline.requests, window.baseline.count(name))
        canary = (window.canary.requests, window.canary.count(name))
        # Fewer on the canary is more on the baseline.
        pair = (canary, baseline) if name in less else (baseline, canary)
        evidence.update(tally, policy, *pair, state.windows, window.start, window.recorded)
    state.windows += 1
    broken = watch_budgets(state, policy, window)
    if total_evidence(state) >= threshold(policy):
        state.rolled_back = Ended(window.end, state.windows, "evidence")
    elif broken:
        state.rolled_back = Ended(window.end, state.windows, f"budget {policy.budgets.index(broken)}")
    elif not state.promoted and _tolerable(policy, state):
        state.promoted = Ended(window.end, state.windows, "evidence")


def _tolerable(policy: JudgePolicy, state: JudgeState) -> bool:
    return (
        state.step_windows >= policy.min_windows
        and state.requests[1] >= policy.min_requests
        and not any(breach.counts[0] for breach in state.breaches)
        and all(evidence.in_favour(tally) >= 1 / policy.promote_alpha for tally in state.metrics.values())
    )


# --- verdict ------------------------------------------------------------------------------------


def _verdict(policy: JudgePolicy, state: JudgeState, now: float, deadline: float, heard: float) -> Verdict:
    numbers = words.verdict_numbers(policy, state, total_evidence(state), threshold(policy))
    over = now >= deadline
    if state.rolled_back:
        return Verdict("rollback", words.rolled_back(policy, state, numbers), numbers)
    if shared := shared_breach(state, policy):
        why = words.both_failing(*shared)
        return Verdict("ask" if over else "hold", why, numbers)
    if state.mode == "judge" and state.promoted:
        return Verdict("promote", words.promoted(policy, state, numbers), numbers)
    if unknown := _unknown(policy, state, now - heard):
        return Verdict("ask" if over else "hold", unknown, numbers)
    if not over:
        return Verdict("continue", words.undecided(policy, numbers), numbers)
    if state.mode == "bake" and state.requests[1] >= policy.min_requests:
        return Verdict("promote", words.survived(state, numbers), numbers)
    return Verdict("ask", words.unresolved(policy, state, numbers), numbers)


def _unknown(policy: JudgePolicy, state: JudgeState, silent: float) -> str:
    """Why the windows do not tell how the canary is, or nothing."""
    length = state.length or policy.window
    if silent > SILENCE * length + policy.settle:
        return words.silence(state, silent)
    seen, passed = state.step_windows * length, state.until - state.since
    if seen < COVERAGE * passed - length:
        return words.gaps(state, seen, passed)
    if state.step_windows > SILENCE and not state.requests[1]:
        return words.no_traffic(state)
    return ""


_TINY = 1e-6


def _copy(state: JudgeState) -> JudgeState:
    return msgspec.convert(msgspec.to_builtins(state), JudgeState)
