"""One look at a canary: read what came in from every source, judge it, agree on a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from candlefish.analysis.balancer_errors import unless_the_balancer_errs
from candlefish.analysis.calibration import Calibration, calibrate
from candlefish.analysis.judge import first_state, judge, metrics, resume, streams
from candlefish.analysis.memory_growth import points_after, unless_memory_runs_out
from candlefish.analysis.merge import merge
from candlefish.analysis.model import (
    Arm,
    MetricTarget,
    Mode,
    Verdict,
    Window,
    aim_target,
    hold_or_ask,
)
from candlefish.analysis.ports import Calibrations, WindowSource
from candlefish.analysis.remembered import STILL, Remembered, complete_windows, plain, recalled
from candlefish.analysis.standing import HeardSource, Told, standing_of
from candlefish.analysis.traffic_share import COUNTED_BY, misshared, with_share
from candlefish.analysis.trouble import (
    Monitor,
    called_for,
    first_monitor,
    is_well,
    is_worlds,
    observe,
    policy_now,
    said_of,
)
from candlefish.analysis.unknowns import our_failure, reported_now, unless_unreported, with_what_was_asked
from candlefish.analysis.words import watched
from candlefish.catalog.model import JudgePolicy
from candlefish.errors import ControlPlaneError, Unavailable

# In a verdict's evidence: what both versions have now is not the canary's doing, an experiment has shown.
WORLDS = "the_worlds"


class Asking(msgspec.Struct, frozen=True):
    """Whether an experiment can be made now, and whether somebody else suspects that both versions are in trouble."""

    possible: bool = False
    suspected: bool = False


NO_EXPERIMENT = Asking()
# Told of a failure of ours while a source was read or judged: the source's name and what was raised.
Failed = Callable[[str, Exception], None]


def judge_windows(
    sources: Mapping[str, WindowSource],
    policy: JudgePolicy,
    target: MetricTarget,
    states: Mapping[str, Any],
    *,
    mode: Mode,
    since: float,
    now: float,
    deadline: float,
    calibrations: Calibrations | None = None,
    asking: Asking = NO_EXPERIMENT,
    failed: Failed | None = None,
    horizon: float = 0.0,
    told: Told | None = None,
) -> tuple[dict[str, Any], Verdict]:
    """Judge the windows that came in since the last look.

    Parameters
    ----------
    states
        What the last look returned, by source; empty at the first look of a release. Hand it on
        from step to step: a different `since` or `mode` begins the next step, with the evidence kept.
    since, now, deadline
        When this step's traffic began, now, and when a verdict is due; epoch seconds.
    calibrations
        Where the service's burstiness is kept between releases; each release refreshes it.
    asking
        Whether "experiment" is an answer now (`analysis/experiment.py`).
    failed
        Told of what went wrong by a bug of ours, so that it is logged.
    horizon
        Seconds for which a promoted version is watched: one whose memory runs out sooner is not promoted.
    told
        Told what each source said, for whoever shows it.

    Returns
    -------
    The states to hand to the next look, as plain JSON values, and the verdict. A metrics store that is down, a metric
    that was never reported and a failure of ours make it "hold" ("ask" at the deadline), never a rollback.
    """
    after: dict[str, Any] = {}
    verdicts: dict[str, Verdict] = {}
    for name, source in sources.items():
        known = states.get(name)
        memory: dict[str, Any] | None = known
        try:
            remembered = recalled(policy, known)
            if remembered is None:
                aim = aim_target(target, policy, name)
                remembered = _first(source, name, policy, aim, mode, since, calibrations)
            memory, verdicts[name] = _judge_source(
                source,
                name,
                policy,
                target,
                remembered,
                mode=mode,
                since=since,
                now=now,
                deadline=deadline,
                asking=asking,
                horizon=horizon,
                told=told,
            )
        except Unavailable as error:
            verdicts[name] = Verdict(
                hold_or_ask(now >= deadline), f"{name} does not tell: {error}", {"source": name}
            )
        except Exception as error:  # noqa: BLE001 - our own failure, whatever it is, is unknown
            verdicts[name] = our_failure(name, error, over=now >= deadline)
            if failed:
                failed(name, error)
        if memory is not None:
            after[name] = memory
    agreed = unless_unreported(
        merge(verdicts),
        metrics(policy),
        {name: memory["reported"] for name, memory in after.items() if memory.get("served")},
        {name: aim_target(target, policy, name) for name in after},
        over=now >= deadline,
    )
    return after, agreed


def baseline_is_well(
    sources: Mapping[str, WindowSource],
    policy: JudgePolicy,
    target: MetricTarget,
    states: Mapping[str, Any],
    *,
    now: float,
) -> bool:
    """Whether the old version has been well, as every source tells, since the last look: a glance, for half the metrics.

    Not when anything is unknown; then it takes a whole look to say so.
    """
    for name, source in sources.items():
        memory = recalled(policy, states.get(name))
        if memory is None or memory.monitor.high or memory.monitor.explained:
            return False
        aim = _baseline_only(aim_target(target, policy, name))
        try:
            read = source.windows(aim, memory.monitored_until or memory.state.until, now)
        except Unavailable:
            return False
        if not all(is_well(memory.monitor, window) for window in read):
            return False
    return bool(sources)


def _judge_source(
    source: WindowSource,
    name: str,
    policy: JudgePolicy,
    target: MetricTarget,
    memory: Remembered,
    *,
    mode: Mode,
    since: float,
    now: float,
    deadline: float,
    asking: Asking,
    horizon: float,
    told: Told | None,
) -> tuple[dict[str, Any], Verdict]:
    aim = msgspec.structs.replace(aim_target(target, policy, name), survey=memory.survey)
    if (memory.state.since, memory.state.mode) != (since, mode):
        memory.state = resume(policy, memory.state, since, mode, shifted=aim.weight != memory.weight)
        memory.weight = aim.weight
    serving = aim if aim.baseline_serves else msgspec.structs.replace(aim, baseline_group="")
    # Both versions serve in a window in which a step ends as well, and what they share begins when it likes.
    read = source.windows(serving, min(memory.monitored_until or since, memory.state.until), now)
    memory.reported = reported_now(memory.reported, read, metrics(policy))
    memory.served = memory.served or any(w.baseline.requests or w.canary.requests for w in read)
    complete, memory.growing = complete_windows(read, memory.growing, now, STILL * aim.settle)
    memory.monitor, high = _monitored(memory, complete, suspected=asking.suspected)
    windows = [window for window in complete if window.start >= memory.state.until]
    if windows and not any(window.baseline.requests for window in windows):
        windows = _with_recorded(source, policy, aim, memory, windows)
    heard = max((window.end for window in read), default=0.0)
    by = policy_now(policy, memory.monitor, possible=asking.possible and high)
    memory.state, verdict = judge(by, memory.state, windows, now, deadline, heard)
    if verdict.action == "promote":
        verdict = unless_the_balancer_errs(source, policy, aim, memory, verdict, over=now >= deadline)
    if name == COUNTED_BY:
        share = misshared(memory.state.requests[0], memory.state.requests[1], aim.weight)
        verdict = with_share(verdict, share, early=mode == "judge", over=now >= deadline)
    memory.memory = points_after(memory.memory, windows)
    verdict = unless_memory_runs_out(verdict, memory.memory, horizon, over=now >= deadline)
    verdict = _with_the_shared(verdict, memory.monitor, possible=asking.possible)
    if not memory.served:
        verdict = with_what_was_asked(verdict, name, aim)
    evidence = {"source": name, **verdict.evidence}
    if is_worlds(memory.monitor):
        evidence[WORLDS] = True
    verdict = msgspec.structs.replace(verdict, evidence=evidence)
    if told:
        consumed = [window for window in windows if window.end <= memory.state.until]
        told(HeardSource(name, consumed, memory.state, verdict, standing_of(policy, memory.state)))
    return plain(memory), verdict


def _monitored(memory: Remembered, windows: Sequence[Window], *, suspected: bool) -> tuple[Monitor, bool]:
    """What is watched for after these windows, and whether any of them was over the bar."""
    monitor, high = memory.monitor, False
    for window in windows:
        if window.start >= memory.monitored_until:
            monitor = observe(monitor, window, suspected=suspected)
            high = high or bool(monitor.high)
            memory.monitored_until = window.end
    return monitor, high


def _with_the_shared(verdict: Verdict, monitor: Monitor, *, possible: bool) -> Verdict:
    """The verdict; "experiment" where both versions are in trouble and nothing is proved against the canary yet."""
    if verdict.action == "rollback":
        return verdict
    if possible and (why := called_for(monitor)):
        return msgspec.structs.replace(verdict, action="experiment", reason=why)
    if said := said_of(monitor):
        return msgspec.structs.replace(verdict, reason=f"{verdict.reason}; {said}")
    return verdict


def watched_words(policy: JudgePolicy, states: Mapping[str, Any]) -> str:
    """The last word on a version whose rollback window has closed."""
    known = (recalled(policy, each) for each in states.values())
    return watched([memory.state for memory in known if memory is not None])


def _first(
    source: WindowSource,
    name: str,
    policy: JudgePolicy,
    aim: MetricTarget,
    mode: Mode,
    since: float,
    calibrations: Calibrations | None,
) -> Remembered:
    """A release's first look: learn from the service's own history what it has and how bursty that is."""
    survey = source.survey(_baseline_only(aim), since - policy.history, since)
    aim = msgspec.structs.replace(aim, survey=survey)
    past = source.windows(_baseline_only(aim), since - policy.history, since)
    before: Mapping[str, Calibration] = {}
    with suppress(ControlPlaneError):
        before = calibrations.get(aim.service, name) if calibrations else {}
    known = calibrate(past, streams(policy, survey), before)
    # What cannot be kept is learnt again by the next release.
    with suppress(ControlPlaneError):
        if calibrations:
            calibrations.put(aim.service, name, known)
    return Remembered(
        first_state(policy, since, mode, known, survey),
        began=since,
        calibration=known,
        survey=survey,
        weight=aim.weight,
        monitor=first_monitor(past, float(policy.window)),
        reported=[*survey.reported],
    )


def _with_recorded(
    source: WindowSource,
    policy: JudgePolicy,
    aim: MetricTarget,
    memory: Remembered,
    windows: Sequence[Window],
) -> list[Window]:
    """Put the old version's windows from before the release beside the new one's, each used once.

    The n-th window since the old version left is compared with the n-th of the hours before the
    release, as many as `history` says; after that only the absolute objectives are left.
    """
    state = memory.state
    first, last = min(w.start for w in windows), max(w.end for w in windows)
    if not memory.recorded_since:
        memory.state = resume(policy, state, state.since, state.mode, memory.calibration)
        memory.recorded_since = first
    # Whole windows back, so that both lie on the same grid.
    back = -(-(memory.recorded_since - memory.began + policy.history) // aim.window) * aim.window
    end = min(last - back, memory.began)
    past = source.windows(_baseline_only(aim), first - back, end + aim.settle) if end > first - back else ()
    before = {round(w.start + back, 3): w.baseline for w in past if w.baseline.requests}
    return [
        msgspec.structs.replace(w, baseline=before.get(round(w.start, 3), Arm(0)), recorded=True)
        for w in windows
    ]


def _baseline_only(aim: MetricTarget) -> MetricTarget:
    """What served before the release is asked about the old version alone."""
    return msgspec.structs.replace(aim, canary_group="")
