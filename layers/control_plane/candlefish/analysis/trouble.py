"""A trouble that both versions have: found against the hours before. Pure, and a few microseconds a window.

`first_monitor` once a release, `observe` for every window while both versions serve, until it shows a `trouble`. That is
a trigger and no verdict, so plain rules find it; what it leads to (`experiment.py`) costs a canary a few minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Literal

import msgspec

from candlefish.analysis.counts import Counts, add, distance, of, percent, share_of
from candlefish.analysis.model import Window
from candlefish.catalog.model import JudgePolicy

# More than this share of bad requests, whatever a service is used to, may be a trouble.
LEAST = {"errors": 0.02, "slow": 0.05}
# More than so many times the share that its hours before hardly ever had.
RISE = 4.0
# A trouble of that share is believed after one window (`unit`), a smaller one after two.
PLAIN = 0.1
# An explained trouble that became so many times as bad is another one.
WORSE = 3.0
# The level of a service is known from that many requests on.
ENOUGH = 300
# Requests of neighbouring windows are taken together up to so many: one error of ten is no level.
TOGETHER = 200
# Share of the hours before that was better than `Level.upper`.
UPPER = 0.95
# How much likelier than half the bar what was counted must be: of the old version, and of the canary, which confirms it.
STRONG, FAIR = log(1000), log(20)


class Level(msgspec.Struct, frozen=True):
    """What a service is used to: requests and bad ones of the hours before, and the share that it hardly ever passed."""

    requests: int = 0
    events: int = 0
    upper: float = 0.0


class Trouble(msgspec.Struct, frozen=True):
    """A stretch of windows over the bar, [since, until) in epoch seconds: counts of both versions, the worst share."""

    metric: str
    since: float
    until: float
    baseline: Counts
    canary: Counts
    worst: float


class Explained(msgspec.Struct, frozen=True):
    """A trouble that no experiment is to ask about again while it lasts: its share, and why not."""

    metric: str
    share: float
    why: Literal["before", "world", "asked"]
    # Since when the old version has been well again, epoch seconds; 0 while it is not.
    well_since: float = 0.0


class Monitor(msgspec.Struct, frozen=True):
    """What is remembered from window to window while both versions serve. `unit` is a window's usual length, seconds."""

    unit: float = 60.0
    levels: dict[str, Level] = {}
    # Stretches over the bar that last.
    high: dict[str, Trouble] = {}
    # What calls for an experiment.
    trouble: Trouble | None = None
    explained: Explained | None = None
    # Small troubles that went when the canary went.
    left: int = 0


# --- while both versions serve ------------------------------------------------------------------


def first_monitor(past: Sequence[Window], unit: float) -> Monitor:
    """What to remember at the beginning of a release.

    Parameters
    ----------
    past
        Windows from before the release, in which the baseline served alone, in any order. Where they hold too little,
        the release's own first windows are learnt from.
    unit
        The policy's `window`, in seconds. A source with shorter windows needs several for one of these.
    """
    served = sorted((w for w in past if w.baseline.requests), key=lambda w: w.start)
    monitor = Monitor(unit, {metric: _level(served, metric) for metric in LEAST})
    last: tuple[Window, ...] = tuple(served[-_whole(unit, served[-1]) :]) if served else ()
    for metric, level in monitor.levels.items():
        baseline = add((w.baseline.requests, w.baseline.count(metric)) for w in last)
        if beyond(baseline, bar(metric, level), STRONG):
            return msgspec.structs.replace(monitor, explained=Explained(metric, share_of(baseline), "before"))
    return monitor


def observe(monitor: Monitor, window: Window, *, suspected: bool = False) -> Monitor:
    """The monitor after a window in which both versions served; `trouble` is set when an experiment is called for.

    `suspected` halves the bar, and one window is enough: somebody else has seen something.
    """
    if window.recorded or not window.baseline.requests:
        return monitor
    levels, high = monitor.levels, {}
    explained = _explained_after(monitor, window)
    found = None
    for metric in LEAST:
        level = levels.get(metric, Level())
        if level.requests < ENOUGH:
            levels = {**levels, metric: _learnt(level, window, metric)}
            continue
        least = bar(metric, level) * (0.5 if suspected else 1)
        trouble = _stretch(monitor.high.get(metric), window, metric, least)
        if trouble is None:
            continue
        high[metric] = trouble
        if _shared(trouble, least, monitor.unit, suspected) and not _is_explained(explained, trouble):
            found = found or trouble
    return msgspec.structs.replace(monitor, levels=levels, high=high, trouble=found, explained=explained)


def bar(metric: str, level: Level) -> float:
    """The share of bad requests that the hours before make implausible."""
    return max(LEAST[metric], RISE * level.upper)


def is_well(monitor: Monitor, window: Window) -> bool:
    """Whether the old version is under every bar in a window, as far as its level is known."""
    return bool(monitor.levels) and all(
        level.requests >= ENOUGH
        and window.baseline.count(metric) <= bar(metric, level) * window.baseline.requests
        for metric, level in monitor.levels.items()
    )


def policy_now(policy: JudgePolicy, monitor: Monitor, *, possible: bool) -> JudgePolicy:
    """The policy by which the two versions are compared now.

    `possible`: the old version is over the bar, and an experiment can be made: it comes before a budget that would roll
    back although both versions break it. What one found to be the world's doing stops nobody: only the comparison of
    the two is left.
    """
    if monitor.explained is not None and monitor.explained.why == "world":
        budgets = tuple(msgspec.structs.replace(each, over=NEVER) for each in policy.budgets)
        policy = msgspec.structs.replace(policy, gross=NEVER)
    elif possible and monitor.explained is None:
        budgets = tuple(msgspec.structs.replace(each, shared="hold") for each in policy.budgets)
    else:
        return policy
    return msgspec.structs.replace(policy, budgets=budgets)


# A share that a budget is hardly ever over.
NEVER = 1 - 1e-9


def called_for(monitor: Monitor) -> str:
    """Why an experiment is called for, for an operator; empty when it is not."""
    trouble = monitor.trouble
    if trouble is None:
        return ""
    level = monitor.levels.get(trouble.metric, Level())
    again = ", as before the canary was out of the traffic" if monitor.left else ""
    return (
        f"both versions {_DO[trouble.metric]} together{again}: {of(trouble.canary)} requests of the canary and "
        f"{of(trouble.baseline)} of the old version {WERE[trouble.metric]}, {of((level.requests, level.events))} "
        "before; whose fault it is shows when the canary gets no traffic"
    )


def is_worlds(monitor: Monitor) -> bool:
    """Whether both versions have a trouble now that an experiment has shown not to be the canary's doing."""
    known = monitor.explained
    return known is not None and known.why == "world" and not known.well_since


def said_of(monitor: Monitor) -> str:
    """What is known of a trouble that both versions have and that no experiment is to ask about; empty without one."""
    if monitor.explained is None:
        return ""
    share = percent(monitor.explained.share)
    return {
        "before": f"the old version had {share} of it before the canary got traffic, so that is not the canary's doing",
        "world": f"what both versions have ({share}) stayed when the canary had no traffic, and holds nobody",
        "asked": f"what both versions have ({share}) could not be told apart by taking the canary out of the traffic",
    }[monitor.explained.why]


_DO = {"errors": "fail", "slow": "are slow"}
WERE = {"errors": "failed", "slow": "were slow"}


# --- counts -------------------------------------------------------------------------------------


def _stretch(known: Trouble | None, window: Window, metric: str, least: float) -> Trouble | None:
    """The stretch over the bar with this window; None when the old version is not over it."""
    baseline = window.baseline.requests, window.baseline.count(metric)
    canary = window.canary.requests, window.canary.count(metric)
    if baseline[1] <= least * baseline[0]:
        return None
    together, with_canary, since = baseline, canary, window.start
    if known is not None:
        together, with_canary, since = (
            add((known.baseline, baseline)),
            add((known.canary, canary)),
            known.since,
        )
    # A few requests are bad by chance in any share.
    worst = share_of(baseline if baseline[0] >= TOGETHER else together)
    if known is not None:
        worst = max(known.worst, worst)
    return Trouble(metric, since, window.end, together, with_canary, worst)


def _shared(trouble: Trouble, least: float, unit: float, suspected: bool) -> bool:
    """Whether both versions are over the bar beyond chance, for long enough."""
    plain = suspected or share_of(trouble.baseline) >= PLAIN
    return (
        trouble.until - trouble.since >= unit * (1 if plain else 2) - _TINY
        and beyond(trouble.baseline, least, STRONG)
        and beyond(trouble.canary, least, FAIR)
    )


def _explained_after(monitor: Monitor, window: Window) -> Explained | None:
    """What is still explained after a window: nothing more once the old version was well for two windows."""
    known = monitor.explained
    if known is None:
        return None
    events = window.baseline.count(known.metric)
    level = monitor.levels.get(known.metric, Level())
    if events > bar(known.metric, level) / 2 * window.baseline.requests:
        return msgspec.structs.replace(known, well_since=0.0) if known.well_since else known
    since = known.well_since or window.start
    if window.end - since >= 2 * monitor.unit - _TINY:
        return None
    return msgspec.structs.replace(known, well_since=since)


def _is_explained(explained: Explained | None, trouble: Trouble) -> bool:
    return explained is not None and (
        explained.metric != trouble.metric or trouble.worst < WORSE * explained.share
    )


def _level(served: Sequence[Window], metric: str) -> Level:
    shares, taken = [], (0, 0)
    total = (0, 0)
    for window in served:
        counts = window.baseline.requests, window.baseline.count(metric)
        total, taken = add((total, counts)), add((taken, counts))
        if taken[0] >= TOGETHER:
            shares.append(share_of(taken))
            taken = (0, 0)
    shares.sort()
    upper = shares[min(int(UPPER * len(shares)), len(shares) - 1)] if shares else 0.0
    return Level(*total, max(upper, share_of(total)))


def _learnt(level: Level, window: Window, metric: str) -> Level:
    """The level with a window of the release itself, where the hours before hold too little."""
    counts = window.baseline.requests, window.baseline.count(metric)
    requests, events = add(((level.requests, level.events), counts))
    upper = max(level.upper, share_of(counts)) if counts[0] >= TOGETHER else level.upper
    return Level(requests, events, max(upper, share_of((requests, events))))


def beyond(counts: Counts, least: float, needed: float) -> bool:
    """Whether a share of half the bar would hardly ever show these counts."""
    return counts[1] > least / 2 * counts[0] and distance(counts, least / 2) >= needed


def _whole(unit: float, window: Window) -> int:
    """How many windows like this one make a usual one."""
    return max(1, round(unit / (window.end - window.start)))


_TINY = 1e-6
