"""What the judge knows, in one plain sentence, on one scale, and in numbers for whoever asks (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log
from typing import Literal

from candlefish.analysis.counts import wilson
from candlefish.release.model import SeenEvidence, SeenWindow, ServedCounts
from candlefish.views.model import EvidenceView, PointView, Rate, SideView
from candlefish.views.words import MINUTE, counted, lasting, many, percentage, spelled

Found = Literal["no_harm", "harmed", "cannot_tell"]
NOTHING_YET = EvidenceView("none", "nothing has been judged yet")
# Evidence this near to rolling back is no "no sign of harm" any more.
SUSPECT = -0.15
# Where so much of the old version's requests fail, as little harm as there is in it is no good news.
TROUBLE = 0.05
# A source is silent for longer than so many windows; a judge that has not looked for as long as this has stopped.
SILENT_WINDOWS = 4
STOPPED_AFTER = 15 * MINUTE
# As long nobody expects numbers of all of a step.
FRESH_WINDOWS = 5
# Odds below are said to be even; above, only that they are more.
EVEN, MOST = 1.5, 1000.0
# About so many points are drawn of a release.
MOST_POINTS = 60
_STATE = re.compile(r"(?:: the canary's state|: its state) is unknown")
_SOURCES = {"cloudwatch": "CloudWatch", "prometheus": "Prometheus", "custom": "its own metrics"}
# What is bad about a stream, of "12 of 5,020 requests ..."; {} is the rest of its name.
_WHAT = {
    "errors": "failed",
    "slow": "were slow",
    "over": "took longer than {} s",
    "at": "to {} failed",
    "kind": "failed in ways that are new",
    "use:throttled": "(CPU periods) were throttled",
    "use:restarts": "(seconds of Pods) ended in a restart",
    "use:oom": "(seconds of Pods) ended out of memory",
}


def bad_words(metric: str) -> str:
    """What is bad about the requests that a stream counts."""
    head, _, rest = metric.partition(":")
    template = _WHAT.get(metric) or _WHAT.get(head) or "had {}"
    return template.replace("{}", rest or head)


def evidence_view(
    seen: SeenEvidence | None, *, old: str, new: str, now: float, judging: bool
) -> EvidenceView:
    """The newest look. `old` and `new` are what the versions are called; `judging` says that somebody has to look now."""
    if seen is None:
        return NOTHING_YET
    state, says = _state(seen, old, new, now, judging=judging)
    shown = _as_shown(seen)
    return EvidenceView(
        state=state,
        says=says,
        at=seen.at,
        position=shown,
        odds=_odds(seen),
        old=rate_of(seen.old, seen.since, seen.until),
        new=rate_of(seen.new, seen.since, seen.until),
        windows=seen.windows,
        of=round((seen.deadline - seen.since) / seen.length)
        if seen.length and seen.deadline > seen.since
        else 0,
        decided={
            "reason": seen.reason,
            "action": seen.action,
            "source": seen.source,
            "by": seen.decided,
            "evidence_against": seen.against,
            "rolls_back_at": seen.rolls_back,
            "evidence_for": seen.favour,
            "promotes_at": seen.promotes,
            **seen.numbers,
        },
    )


def _state(seen: SeenEvidence, old: str, new: str, now: float, *, judging: bool) -> tuple[Found, str]:
    if seen.action == "rollback":
        return "harmed", f"harmed: {harm_words(seen, old)}"
    if judging and now - seen.at > max(STOPPED_AFTER, 2 * SILENT_WINDOWS * seen.length):
        return "cannot_tell", f"cannot tell: the judge has not looked for {spelled(now - seen.at)}"
    if why := _unknown(seen, new):
        return "cannot_tell", why
    compared = _compared(seen, old)
    if seen.old.requests and seen.old.errors / seen.old.requests >= TROUBLE:
        return "cannot_tell", f"cannot tell: {old} is in trouble as well: {compared}"
    if seen.position is not None and seen.position < SUSPECT:
        return "cannot_tell", f"cannot tell yet, and it may be worse: {compared}"
    return "no_harm", f"no sign of harm: {compared}"


def _unknown(seen: SeenEvidence, new: str) -> str:
    """Why nothing is known, or not enough; empty when something is."""
    passed, requests = max(0.0, seen.until - seen.since), seen.new.requests
    if not seen.source:
        sources = ", ".join(source_words(each) for each in seen.silent) or "any source"
        return f"cannot tell: no numbers from {sources} for {spelled(seen.at - seen.until)}"
    if seen.at - seen.until > SILENT_WINDOWS * max(seen.length, 1.0) and seen.action in ("hold", "ask"):
        return f"cannot tell: no numbers from {source_words(seen.source)} for {spelled(seen.at - seen.until)}"
    if seen.windows and not requests:
        return f"cannot tell: {new} got no request in {spelled(passed)}"
    if not seen.windows:
        return "cannot tell yet: no whole window of numbers is there"
    if requests < seen.min_requests:
        more = passed * (seen.min_requests - requests) / requests
        return (
            f"cannot tell yet: {many(requests, 'request')} in {spelled(passed)}, "
            f"about {spelled(more)} more at this traffic"
        )
    if seen.at < seen.warm_until:
        return (
            f"cannot tell yet: {new} warms up for {spelled(seen.warm_until - seen.at)} more; so far "
            f"{counted(requests, seen.new.errors, 'failed')}"
        )
    if seen.action == "experiment":
        return "cannot tell: both versions are in trouble, and an experiment is to show whose fault it is"
    if seen.action in ("hold", "ask") and seen.silent:
        return f"cannot tell: no numbers from {', '.join(source_words(each) for each in seen.silent)}"
    if seen.action == "hold" and seen.at - seen.since < FRESH_WINDOWS * max(seen.length, 1.0):
        return f"cannot tell yet: it is {spelled(seen.at - seen.since)} since it began"
    if seen.action in ("hold", "ask"):
        return f"cannot tell: {without_state(seen.reason)}"
    return ""


def _compared(seen: SeenEvidence, old: str) -> str:
    told = counted(seen.new.requests, seen.new.errors, "failed")
    if not seen.old.requests:
        return f"{told}, and nothing of {old} to compare it with"
    before = "before the release" if seen.recorded else "in the same minutes"
    return f"{told}, {percentage(seen.old.errors / seen.old.requests)} on {old} {before}"


def without_state(reason: str) -> str:
    """A judge's sentence without "the canary's state is unknown", which is said already."""
    return _STATE.sub("", reason)


def harm_words(seen: SeenEvidence, old: str) -> str:
    """What was found: `21 of 100 requests failed (21%), 0 of 800 on 1.0.0 in the same minutes`."""
    requests, events, before, before_events = (
        seen.new.requests,
        seen.new.errors,
        seen.old.requests,
        seen.old.errors,
    )
    if len(seen.stretch) == 4:
        before, before_events, requests, events = seen.stretch
    told = counted(requests, events, bad_words(seen.metric or "errors"))
    if not before:
        return told
    when = "before the release" if seen.recorded else "in the same minutes"
    return f"{told}, {before_events:,} of {before:,} on {old} {when}"


def source_words(source: str) -> str:
    """A source of numbers as people call it."""
    return _SOURCES.get(source, source)


def _as_shown(seen: SeenEvidence) -> float | None:
    """Where the evidence stands; None where there is none."""
    counted_any = seen.windows and seen.new.requests
    return seen.position if counted_any or seen.action == "rollback" else None


def _odds(seen: SeenEvidence) -> str:
    if _as_shown(seen) is None:
        return ""
    worse = seen.action == "rollback" or (seen.position is not None and seen.position < 0)
    odds, needed = (seen.against, seen.rolls_back) if worse else (seen.favour, seen.promotes)
    if seen.action == "rollback" and odds < needed:
        # A budget, or gross failure: no odds were needed.
        return "beyond what is allowed, whatever the odds"
    said = f"{_to_one(odds)} that it is {'worse' if worse else 'as good'}" if odds >= EVEN else "about even"
    if not worse and seen.mode == "bake":
        return f"{said}; it is watched until its time is up"
    return f"{said}; {_to_one(needed)} {'rolls back' if worse else 'promotes'}" if needed > 1 else said


def _to_one(odds: float) -> str:
    return f"{odds:,.0f} to 1" if odds <= MOST else f"more than {MOST:,.0f} to 1"


def seconds_more(seen: SeenEvidence) -> float | None:
    """How long a judge may still take at this traffic, in seconds; None where that cannot be told, or it only watches."""
    passed = seen.until - seen.since
    if seen.mode != "judge" or seen.windows < 2 or not seen.new.requests or passed <= 0:
        return None
    if seen.favour < EVEN or seen.promotes <= 1:
        return None
    favour = passed * max(0.0, log(seen.promotes) / log(seen.favour) - 1)
    requests = passed * max(0, seen.min_requests - seen.new.requests) / seen.new.requests
    windows = seen.length * max(0, seen.min_windows - seen.windows)
    return max(favour, requests, windows, 0.0)


def rate_of(counts: ServedCounts, since: float, until: float) -> Rate | None:
    """A version's failures; None where it got no requests."""
    if counts.requests <= 0:
        return None
    low, high = wilson(counts.errors, counts.requests)
    return Rate(counts.requests, counts.errors, low, high, since, until)


def points_of(windows: Sequence[SeenWindow], most: int = MOST_POINTS) -> tuple[PointView, ...]:
    """Windows as pictures need them: of many, neighbours of one weight are one point, so that there are about `most`.

    Counts are summed, the position is the newest, and a quantile the mean by requests, which is near enough for a
    picture and for nothing else.
    """
    together = max(1, -(-len(windows) // most))
    points: list[PointView] = []
    some: list[SeenWindow] = []
    for window in windows:
        if some and (len(some) == together or some[-1].weight != window.weight):
            points.append(_point(some))
            some = []
        some.append(window)
    if some:
        points.append(_point(some))
    return tuple(points)


def _point(windows: Sequence[SeenWindow]) -> PointView:
    last = windows[-1]
    position = next((each.position for each in reversed(windows) if each.position is not None), None)
    return PointView(
        windows[0].start,
        last.end,
        last.weight,
        _side(_summed([each.old for each in windows])),
        _side(_summed([each.new for each in windows])),
        position,
    )


def _summed(counts: Sequence[ServedCounts]) -> ServedCounts:
    if len(counts) == 1:
        return counts[0]
    told = [(each.requests, each.p95) for each in counts if each.p95 is not None and each.requests > 0]
    requests = sum(number for number, _ in told)
    return ServedCounts(
        sum(each.requests for each in counts),
        sum(each.errors for each in counts),
        sum(each.slow for each in counts),
        p95=sum(number * p95 for number, p95 in told) / requests if requests else None,
    )


def _side(counts: ServedCounts) -> SideView:
    low, high = wilson(counts.errors, counts.requests) if counts.requests > 0 else (None, None)
    return SideView(counts.requests, counts.errors, counts.slow, counts.p95, low, high)


def lasting_words(seconds: float | None) -> str:
    """How long a judge takes, or nothing where that cannot be told."""
    return "" if seconds is None else f"about {lasting(seconds)} more at this traffic"
