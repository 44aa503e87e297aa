"""The experiment: whose fault is a trouble that both versions have? Pure; time is passed in.

Comparing two versions says nothing of what they share. So the canary is taken out of the traffic for two windows: if
the old version recovers, it was the canary; if not, it was the world. `trouble.py` finds what calls for it. `begin_look`
when the canary's weight is 0, `look_at` for every window that comes in, `conclude` after each, and `after_look` when
there is a conclusion.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.analysis.model import Window
from candlefish.analysis.trouble import (
    FAIR,
    WERE,
    Counts,
    Explained,
    Level,
    Trouble,
    Watch,
    add,
    bar,
    beyond,
    distance,
    of,
    share_of,
)
from candlefish.catalog.model import JudgePolicy

Outcome = Literal["recovered", "once", "passed", "persists", "unclear"]

# From that share on one recovery ends the release. A smaller trouble gets the canary back once, because short common
# spikes end by themselves at the wrong moment, and users bear little of it: what comes back with it is its doing.
SURE = 0.15
# A release takes its canary out of the traffic so often at most.
MOST = 2


class Look(msgspec.Struct, frozen=True):
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


def begin_look(watch: Watch, since: float) -> Look | None:
    """What is to be seen from the moment on at which the canary's weight is 0; nothing where there is no trouble."""
    if watch.trouble is None:
        return None
    return Look(
        since, watch.trouble, watch.levels.get(watch.trouble.metric, Level()), watch.unit, left=watch.left
    )


def look_at(look: Look, window: Window) -> Look:
    """The look after a window: one from before counts as such, one that both lie in counts for nothing."""
    look = msgspec.structs.replace(look, until=max(look.until, window.end))
    counts = window.baseline.requests, window.baseline.count(look.trouble.metric)
    if not counts[0] or window.start < look.since < window.end:
        return look
    least = bar(look.trouble.metric, look.level)
    well = counts[1] <= least / 2 * counts[0]
    if window.end <= look.since:
        trouble = look.trouble
        if not well:
            trouble = msgspec.structs.replace(trouble, worst=max(trouble.worst, share_of(counts)))
        return msgspec.structs.replace(look, trouble=trouble, well_before=well)
    length, seen = window.end - window.start, add((look.seen, counts))
    if well:
        return msgspec.structs.replace(
            look, seen=seen, well=add((look.well, counts)), well_for=look.well_for + length
        )
    look = msgspec.structs.replace(look, seen=seen, well=(0, 0), well_for=0.0)
    if share_of(counts) <= max(least, look.trouble.worst / 3):
        # Better, and not well: it may still be recovering.
        return look
    return msgspec.structs.replace(look, bad=add((look.bad, counts)), bad_for=look.bad_for + length)


def conclude(look: Look, *, over: bool) -> Conclusion | None:
    """Whose fault it was, as soon as that can be said; `over`: the time to find out has passed.

    One whole window (`unit`) in which the old version was well, with enough requests for it to show, is a recovery; two
    bad ones show that it has none. What was well before the canary's weight was 0 proves nothing against it.
    """
    trouble = look.trouble
    half = max(share_of(trouble.baseline), bar(trouble.metric, look.level)) / 2
    if look.well_for >= look.unit and distance(look.well, half, under=True) >= FAIR:
        if look.well_before:
            return _concluded("passed", look)
        return _concluded("recovered" if trouble.worst >= SURE or look.left else "once", look)
    if look.bad_for >= 2 * look.unit and beyond(look.bad, bar(trouble.metric, look.level), FAIR):
        return _concluded("persists", look)
    return _concluded("unclear", look) if over else None


def after_look(watch: Watch, conclusion: Conclusion) -> Watch:
    """What to remember when the canary gets its weight back."""
    trouble = watch.trouble
    after = msgspec.structs.replace(watch, high={}, trouble=None)
    why: dict[Outcome, Literal["world", "asked"]] = {"persists": "world", "unclear": "asked"}
    if trouble is not None and conclusion.outcome in why:
        explained = Explained(trouble.metric, trouble.worst, why[conclusion.outcome])
        return msgspec.structs.replace(after, explained=explained)
    return msgspec.structs.replace(after, left=after.left + (conclusion.outcome == "once"))


def longest_look(policy: JudgePolicy) -> float:
    """Seconds after which an experiment has no more to wait for: two windows, reported as late as they may be."""
    readings = [policy.timing(name) for name in ("", *policy.sources)]
    return max(4 * max(each.window, policy.window) + 6 * each.settle for each in readings)


def _concluded(outcome: Outcome, look: Look) -> Conclusion:
    trouble = look.trouble
    were, with_it, without = WERE[trouble.metric], of(trouble.baseline), of(look.seen)
    counted = f"{with_it} of the old version's requests {were} with the canary, {without} without it"
    well = f"{with_it} of the old version's requests {were} with the canary, {of(look.well)} without it"
    reasons: dict[Outcome, str] = {
        "recovered": f"recovered: {well}"
        + (", the second time: it goes with the canary and comes back with it" if look.left else "")
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
        "before": {"requests": look.level.requests, "events": look.level.events},
        "with_canary": {"requests": trouble.baseline[0], "events": trouble.baseline[1]},
        "of_canary": {"requests": trouble.canary[0], "events": trouble.canary[1]},
        "without_canary": {"requests": look.seen[0], "events": look.seen[1]},
        "since": trouble.since,
        "weight_0_since": look.since,
    }
    return Conclusion(outcome, reasons[outcome], evidence)
