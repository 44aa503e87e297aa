"""When the judge looks again: every window while a weight is fresh, then more rarely.

A look asks for ten metrics and is a transition, which is most of what a release costs (docs/cost.md). What is new is
looked at closely; what has been well for a while is looked at less often, with alarms beside it that never sleep.
"""

from __future__ import annotations

from candlefish.release.plan import WATCH_POLLS

# How many windows a weight of a release is fresh; from then on so many windows are looked at together.
STEP_FRESH, STEP_RARE = 5, 3
# The same of a promotion, which is fresh for so much of its rollback window at most.
WATCH_FRESH, WATCH_FRESH_SHARE, WATCH_RARE = 15, 0.25, 5


def pause_in_step(since: float, until: float, at: float, window: float, poll: float) -> float:
    """Seconds until the next look at a step that judges or bakes; `poll` is the least, by the plan."""
    fresh = at - since <= STEP_FRESH * window
    # Past the end there is one look more, no series of shorter and shorter ones.
    return max(min(poll if fresh else max(poll, STEP_RARE * window), until - at), float(window), 1.0)


def pause_in_watch(since: float, until: float, at: float, window: float) -> float:
    """Seconds until the next look at a promoted version."""
    fresh = at - since < min(WATCH_FRESH * window, (until - since) * WATCH_FRESH_SHARE)
    # A window of days must not outgrow the execution's history.
    pace = max(window if fresh else WATCH_RARE * window, (until - since) / WATCH_POLLS)
    return max(min(pace, until - at), min(pace, float(window)), 1.0)
