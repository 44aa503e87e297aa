"""The experiment: whose fault is a trouble that both versions have? Pure; time is passed in.

Comparing two versions says nothing of what they share. So the canary is taken out of the traffic for two windows: if
the old version recovers, it was the canary; if not, it was the world. `trouble.py` finds what calls for it. `begin_trial`
when the canary's weight is 0, `look_at` for every window that comes in, `conclude` after each, and `after_trial` when
there is a conclusion.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.analysis.counts import Counts, add, distance, of, share_of
from candlefish.analysis.model import Window
from candlefish.analysis.trouble import (
    FAIR,
    WERE,
    Explained,
    Level,
    Monitor,
    Trouble,
    bar,
    beyond,
)
from candlefish.catalog.model import JudgePolicy

Outcome = Literal["recovered", "once", "passed", "persists", "unclear"]

# From that share on one recovery ends the release. A smaller trouble gets the canary back once, because short common
# spikes end by themselves at the wrong moment, and users bear little of it: what comes back with it is its doing.
SURE = 0.15


class Trial(msgspec.Struct, frozen=True):
    """What was seen of the old version since the canary's weight is 0. `since` in epoch seconds."""

    since: float
    trouble: Trouble
    level: Level
    unit: float
    left: int = 0
    # The old version in the last whole window before it: was it well already?
    well_before: bool = False
    # Windows that were well, one after the other, and windows that were not: counts and seconds.
    well: Counts = (0, 0)
    well_for: float = 0.0
    bad: Counts = (0, 0)
    bad_for: float = 0.0
    # All of them, and the end of the newest.
    seen: Counts = (0, 0)
    until: float = 0.0


class Conclusion(msgspec.Struct, frozen=True):
    """What came of an experiment, in a sentence, and the counts behind it."""

    outcome: Outcome
    reason: str
    evidence: dict[str, Any] = {}


# --- while the canary's weight is 0 -------------------------------------------------------------


def begin_trial(monitor: Monitor, since: float) -> Trial | None:
    """What is to be seen from the moment on at which the canary's weight is 0; nothing where there is no trouble."""
    if monitor.trouble is None:
        return None
    return Trial(
        since,
        monitor.trouble,
        monitor.levels.get(monitor.trouble.metric, Level()),
        monitor.unit,
        left=monitor.left,
    )


def look_at(trial: Trial, window: Window) -> Trial:
    """The trial after a window: one from before counts as such, one that both lie in counts for nothing."""
    trial = msgspec.structs.replace(trial, until=max(trial.until, window.end))
    counts = window.baseline.requests, window.baseline.count(trial.trouble.metric)
    if not counts[0] or window.start < trial.since < window.end:
        return trial
    least = bar(trial.trouble.metric, trial.level)
    well = counts[1] <= least / 2 * counts[0]
    if window.end <= trial.since:
        trouble = trial.trouble
        if not well:
            trouble = msgspec.structs.replace(trouble, worst=max(trouble.worst, share_of(counts)))
        return msgspec.structs.replace(trial, trouble=trouble, well_before=well)
    length, seen = window.end - window.start, add((trial.seen, counts))
    if well:
        return msgspec.structs.replace(
            trial, seen=seen, well=add((trial.well, counts)), well_for=trial.well_for + length
        )
    trial = msgspec.structs.replace(trial, seen=seen, well=(0, 0), well_for=0.0)
    if share_of(counts) <= max(least, trial.trouble.worst / 3):
        # Better, and not well: it may still be recovering.
        return trial
    return msgspec.structs.replace(trial, bad=add((trial.bad, counts)), bad_for=trial.bad_for + length)


def conclude(trial: Trial, *, over: bool) -> Conclusion | None:
    """Whose fault it was, as soon as that can be said; `over`: the time to find out has passed.

    One whole window (`unit`) in which the old version was well, with enough requests for it to show, is a recovery; two
    bad ones show that it has none. What was well before the canary's weight was 0 proves nothing against it.
    """
    trouble = trial.trouble
    half = max(share_of(trouble.baseline), bar(trouble.metric, trial.level)) / 2
    if trial.well_for >= trial.unit and distance(trial.well, half, under=True) >= FAIR:
        if trial.well_before:
            return _concluded("passed", trial)
        return _concluded("recovered" if trouble.worst >= SURE or trial.left else "once", trial)
    if trial.bad_for >= 2 * trial.unit and beyond(trial.bad, bar(trouble.metric, trial.level), FAIR):
        return _concluded("persists", trial)
    return _concluded("unclear", trial) if over else None


def after_trial(monitor: Monitor, conclusion: Conclusion) -> Monitor:
    """What to remember when the canary gets its weight back."""
    trouble = monitor.trouble
    after = msgspec.structs.replace(monitor, high={}, trouble=None)
    why: dict[Outcome, Literal["world", "asked"]] = {"persists": "world", "unclear": "asked"}
    if trouble is not None and conclusion.outcome in why:
        explained = Explained(trouble.metric, trouble.worst, why[conclusion.outcome])
        return msgspec.structs.replace(after, explained=explained)
    return msgspec.structs.replace(after, left=after.left + (conclusion.outcome == "once"))


def longest_trial(policy: JudgePolicy) -> float:
    """Seconds after which an experiment has no more to wait for: two windows, reported as late as they may be."""
    readings = [policy.timing(name) for name in ("", *policy.sources)]
    return max(4 * max(each.window, policy.window) + 6 * each.settle for each in readings)


def _concluded(outcome: Outcome, trial: Trial) -> Conclusion:
    trouble = trial.trouble
    were, with_it, without = WERE[trouble.metric], of(trouble.baseline), of(trial.seen)
    counted = f"{with_it} of the old version's requests {were} with the canary, {without} without it"
    well = f"{with_it} of the old version's requests {were} with the canary, {of(trial.well)} without it"
    reasons: dict[Outcome, str] = {
        "recovered": f"recovered: {well}"
        + (", the second time: it goes with the canary and comes back with it" if trial.left else "")
        + "; it was the canary",
        "once": f"recovered: {well}; short troubles end by themselves too, so the canary gets its weight back once: "
        "if this comes back with it, it was the canary",
        "passed": f"it had passed before the canary was out of the traffic: {well}; that proves nothing against it, "
        "and it gets its weight back",
        "persists": f"not recovered: {counted}; it is not the canary, which gets its weight back",
        "unclear": f"unclear: {counted}; whose fault it is does not show",
    }
    evidence = {
        "outcome": outcome,
        "metric": trouble.metric,
        "before": {"requests": trial.level.requests, "events": trial.level.events},
        "with_canary": {"requests": trouble.baseline[0], "events": trouble.baseline[1]},
        "of_canary": {"requests": trouble.canary[0], "events": trouble.canary[1]},
        "without_canary": {"requests": trial.seen[0], "events": trial.seen[1]},
        "since": trouble.since,
        "weight_0_since": trial.since,
    }
    return Conclusion(outcome, reasons[outcome], evidence)
