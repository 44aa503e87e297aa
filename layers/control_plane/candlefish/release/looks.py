"""When the judge looks again: every window while a weight is fresh, then more rarely.

A look asks for ten metrics and is a transition, which is most of what a release costs (docs/cost.md). What is new is
looked at closely; what has been well for a while is looked at less often, with alarms beside it that never sleep.
"""

from __future__ import annotations

from candlefish.errors import PACES
from candlefish.release.plan import WATCH_POLLS

# How many windows a weight of a release is fresh; from then on so many windows are looked at together.
STEP_FRESH, STEP_RARE = 5, 3
# The same of a promotion, which is fresh for so much of its rollback window at most.
WATCH_FRESH, WATCH_FRESH_SHARE, WATCH_RARE = 15, 0.25, 5


def pause_in_step(
    since: float, until: float, at: float, window: float, poll: float, *, closely: bool = False
) -> float:
    """Seconds until the next look at a step that judges or bakes; `poll` is the least, by the plan.

    `closely`: as if the weight were fresh all along, because what is found can be acted upon in minutes: a trouble of
    both versions that calls for an experiment.
    """
    fresh = closely or at - since <= STEP_FRESH * window
    return _until(until - at, poll if fresh else max(poll, STEP_RARE * window))


def is_glance(since: float, until: float, at: float, window: float, settle: float) -> bool:
    """Whether a look at a step need only see that the old version is well: between those that it would take anyway.

    Before a window of the step is complete, and of looks that would be rare every third is whole.
    """
    passed = at - since
    if passed < window + settle:
        return True
    return passed > STEP_FRESH * window and until - at > window and passed // window % STEP_RARE != 0


def pause_in_watch(since: float, until: float, at: float, window: float) -> float:
    """Seconds until the next look at a promoted version."""
    fresh = at - since < min(WATCH_FRESH * window, (until - since) * WATCH_FRESH_SHARE)
    # A window of days must not outgrow the execution's history.
    return _until(until - at, max(window if fresh else WATCH_RARE * window, (until - since) / WATCH_POLLS))


def _until(left: float, usual: float) -> float:
    """The usual pause; towards the end the shortest that reaches it, so that there is one look more and no series."""
    return float(min([usual, *(each for each in PACES if each >= left)]))
