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
from functools import lru_cache
from math import fsum, log

import msgspec

from candlefish.analysis import evidence, tallies, words
from candlefish.analysis.budgets import gross, shared_breach, watch_budgets
from candlefish.analysis.calibration import Calibration, pair_of
from candlefish.analysis.levels import LEVELS, NO_HISTORY
from candlefish.analysis.model import (
    Breach,
    Ended,
    JudgeState,
    Mode,
    Survey,
    Tally,
    Verdict,
    Window,
    hold_or_ask,
)
from candlefish.catalog.model import JudgePolicy

# Later windows that may wait for a missing one.
PATIENCE = 3
# A source that is silent for longer than this many windows is not heard from.
SILENCE = 3
# How much of the level is won back: by an e-process's bound a release is rolled back falsely much less often than it
# may be. Measured in docs/judge.md; at 2 it stays below alpha.
SPENT = 2.0
# How much of the level each family of streams may spend.
FAMILY_SHARES = {"errors": 4.0, "over": 2.0, "counters": 2.0, "at": 1.0, "kind": 0.5, "use": 0.5}
# A promotion needs evidence in these, and no suspicion in the others.
PROMOTING = ("errors", "over", "counters")
# Where something beside the counts is this much to one against the canary, nobody is promoted early.
SUSPECT = 4.0
# Share of a bake that must have been seen for "nothing happened" to mean anything.
COVERAGE = 0.5


def first_state(
    policy: JudgePolicy,
    since: float,
    mode: Mode = "judge",
    calibration: Mapping[str, Calibration] | None = None,
    survey: Survey = Survey(),  # noqa: B008 - frozen
) -> JudgeState:
    """The state at the beginning of a release, before any window.

    Parameters
    ----------
    since
        When the canary first got traffic, epoch seconds. Windows that begin earlier are not counted.
    mode
        "judge" promotes as soon as the evidence allows; "bake" sits it out until the deadline.
    calibration
        What the service is like, by stream, from `calibrate`; without it anything is thought possible.
    survey
        What is told apart beside errors, slow requests and counters.
    """
    known = calibration or {}
    return JudgeState(
        since=since,
        mode=mode,
        metrics={
            name: tallies.new(policy, known[name].burst, known[name].outliers)
            if name in known
            else tallies.new(policy)
            for name in streams(policy, survey)
        },
        breaches=[Breach() for _ in policy.budgets],
        until=since,
        ceiling=known["errors"].highest if "errors" in known else 0.0,
        warm_until=since + policy.warm_up,
    )


def resume(
    policy: JudgePolicy,
    state: JudgeState,
    since: float,
    mode: Mode = "judge",
    recorded: Mapping[str, Calibration] | None = None,
    shifted: bool = False,
) -> JudgeState:
    """Go on with the next step of the same release; `shifted` says that it begins with another weight.

    `recorded` is given when the baseline from here on is the recorded one (`Window.recorded`): two
    different hours differ by more than two halves of the same minute.
    """
    after = _copy(state)
    for tally in after.metrics.values():
        tallies.begin_step(tally)
    if recorded is not None:
        for name, tally in after.metrics.items():
            spread = recorded[name].drift if name in recorded else NO_HISTORY
            tallies.respread(tally, policy, spread)
    if shifted:
        after.warm_until = since + policy.warm_up
    after.since, after.until, after.mode = since, max(since, after.until), mode
    after.step_from = after.until
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
    widths = {len(row) for row in fresh.metrics["errors"].rise}
    return (
        fresh.metrics.keys() <= state.metrics.keys()
        and len(state.breaches) == len(fresh.breaches)
        and all(
            tally.levels
            and max(tally.levels) < len(LEVELS)
            and {len(row) for row in tally.rise} <= widths
            and len({len(one) for one in (tally.levels, tally.rise, tally.place, tally.departed)}) == 1
            for tally in state.metrics.values()
        )
    )


def metrics(policy: JudgePolicy) -> tuple[str, ...]:
    """What every source is asked for: errors, slow requests, and the policy's business counters."""
    return ("errors", "slow", *(counter.name for counter in policy.counters))


def streams(policy: JudgePolicy, survey: Survey) -> tuple[str, ...]:
    """All that is compared."""
    return (
        *metrics(policy),
        *(f"over:{edge:g}" for edge in survey.edges),
        *(f"at:{place}" for place in survey.places),
        *(("kind:new",) if survey.kinds else ()),
        *survey.uses,
    )


def threshold(policy: JudgePolicy) -> float:
    """The evidence that rolls back."""
    return 1 / (policy.alpha * SPENT)


def total_evidence(state: JudgeState) -> float:
    """Evidence against the canary over all streams: their weighted mean, so that the level holds for all together."""
    shares = _shares(tuple(state.metrics))
    return fsum(shares[name] * tally.against for name, tally in state.metrics.items())


def in_favour_of_all(policy: JudgePolicy, state: JudgeState) -> float:
    """Evidence that the canary is as good, in whatever tells least of it: what has to be there to promote."""
    return min(
        (
            evidence.in_favour(tally)
            for name, tally in state.metrics.items()
            if family_of(name) in PROMOTING and not _always_slower(policy, name, tally)
        ),
        default=1.0,
    )


@lru_cache(maxsize=256)
def _shares(names: tuple[str, ...]) -> dict[str, float]:
    """How much of the level each stream may spend: by family, evenly within one."""
    families = [family_of(name) for name in names]
    parts = {family: FAMILY_SHARES[family] / families.count(family) for family in families}
    total = fsum(parts[family] for family in families)
    return {name: parts[family] / total for name, family in zip(names, families, strict=True)}


def family_of(stream: str) -> str:
    """The family of a stream: that of its name; slow requests are latency, and what is left are counters."""
    head, found, _ = stream.partition(":")
    if found:
        return head
    return {"errors": "errors", "slow": "over"}.get(stream, "counters")


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
    state.windows += 1
    state.step_windows += 1
    state.requests = [
        state.requests[0] + window.baseline.requests,
        state.requests[1] + window.canary.requests,
    ]
    if window.start >= state.warm_until - _TINY:
        _weigh(policy, state, window)
    broken = watch_budgets(state, policy, window)
    if total_evidence(state) >= threshold(policy):
        state.rolled_back = Ended(window.end, state.windows, "evidence")
    elif broken:
        state.rolled_back = Ended(window.end, state.windows, f"budget {policy.budgets.index(broken)}")
    elif gross(policy, state, window):
        state.gross = [window.canary.requests, window.canary.errors]
        state.rolled_back = Ended(window.end, state.windows, "gross")
    elif not state.promoted and _tolerable(policy, state):
        state.promoted = Ended(window.end, state.windows, "evidence")


def _weigh(policy: JudgePolicy, state: JudgeState, window: Window) -> None:
    """Let every stream have its evidence of a window."""
    less = {counter.name for counter in policy.counters if counter.bad == "less"}
    # The edges of one distribution are told of together, so their stretches are one.
    over = [tally for name, tally in state.metrics.items() if name.startswith("over:")]
    if over and all(tally.run_log <= 0 for tally in over):
        for tally in over:
            tallies.begin_stretch(tally, window.start)
    for name, tally in state.metrics.items():
        baseline, canary = pair_of(window.baseline, name), pair_of(window.canary, name)
        # Fewer on the canary is more on the baseline.
        pair = (canary, baseline) if name in less else (baseline, canary)
        evidence.update(
            tally,
            policy,
            *pair,
            state.judged,
            window.start,
            length=window.end - window.start,
            recorded=window.recorded,
            together=name.startswith("over:"),
        )
    state.judged += 1


def _tolerable(policy: JudgePolicy, state: JudgeState) -> bool:
    return (
        state.step_windows >= policy.min_windows
        and state.requests[1] >= policy.min_requests
        and not any(breach.counts[0] for breach in state.breaches)
        and all(
            evidence.in_favour(tally) >= 1 / policy.promote_alpha or _always_slower(policy, name, tally)
            if family_of(name) in PROMOTING
            else tally.against < SUSPECT
            for name, tally in state.metrics.items()
        )
    )


def _always_slower(policy: JudgePolicy, name: str, tally: Tally) -> bool:
    """Whether all of the baseline's requests took longer than an edge, so many that no canary can be worse there.

    That fewer than a `negligible` share of them is quicker is as certain then as a promotion has to be. Such edges come
    where nothing is known of the service before.
    """
    requests, events = tally.total[:2]
    enough = requests * policy.negligible >= -log(policy.promote_alpha)
    return family_of(name) == "over" and events == requests and enough


# --- verdict ------------------------------------------------------------------------------------


def _verdict(policy: JudgePolicy, state: JudgeState, now: float, deadline: float, heard: float) -> Verdict:
    shares = _shares(tuple(state.metrics))
    numbers = words.verdict_numbers(policy, state, shares, total_evidence(state), threshold(policy))
    over = now >= deadline
    if state.rolled_back:
        return Verdict("rollback", words.rolled_back(policy, state, numbers), numbers)
    if shared := shared_breach(state, policy):
        why = words.both_failing(*shared)
        return Verdict(hold_or_ask(over), why, numbers)
    if state.mode == "judge" and state.promoted:
        return Verdict("promote", words.promoted(policy, state, numbers), numbers)
    if unknown := _unknown(policy, state, now - heard):
        return Verdict(hold_or_ask(over), unknown, numbers)
    if not over:
        return Verdict("continue", words.undecided(policy, state, numbers), numbers)
    # What a warm-up forgives says nothing for a version, either.
    weighed = state.until > state.warm_until
    if state.mode == "bake" and weighed and state.requests[1] >= policy.min_requests:
        return Verdict("promote", words.survived(state, numbers), numbers)
    return Verdict("ask", words.unresolved(policy, state, numbers, _least_settled(policy, state)), numbers)


def _least_settled(policy: JudgePolicy, state: JudgeState) -> str:
    """The stream that tells least of whether the canary is tolerable."""
    names = [name for name in state.metrics if family_of(name) in PROMOTING]
    told = state.metrics
    return min(
        names,
        key=lambda name: (_always_slower(policy, name, told[name]), evidence.in_favour(told[name])),
    )


def _unknown(policy: JudgePolicy, state: JudgeState, silent: float) -> str:
    """Why the windows do not tell how the canary is, or nothing."""
    length = state.length or policy.window
    if silent > SILENCE * length + policy.settle:
        return words.silence(state, silent)
    # A step may begin in the middle of what was consumed before it, as the watch after a promotion does.
    seen, passed = state.step_windows * length, state.until - max(state.since, state.step_from)
    if seen < COVERAGE * passed - length:
        return words.gaps(state, seen, passed)
    if state.step_windows > SILENCE and not state.requests[1]:
        return words.no_traffic(state)
    return ""


_TINY = 1e-6


def _copy(state: JudgeState) -> JudgeState:
    return msgspec.convert(msgspec.to_builtins(state), JudgeState)
