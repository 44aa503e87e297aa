"""Absolute objectives: a canary that is as bad as its baseline is still bad."""

from __future__ import annotations

from math import log

from candlefish.analysis.model import Breach, JudgeState, Window
from candlefish.catalog.model import Budget, JudgePolicy


def watch_budgets(state: JudgeState, policy: JudgePolicy, window: Window) -> Budget | None:
    """Consume a window; returns the budget that is broken and calls for a rollback, if any.

    A stretch ends with the first window below the budget; a window without canary requests neither
    ends nor lengthens it.
    """
    broken = None
    for budget, breach in zip(policy.budgets, state.breaches, strict=True):
        canary, baseline = window.canary, window.baseline
        if not canary.requests:
            continue
        events = canary.count(budget.metric)
        if events <= budget.over * canary.requests:
            breach.since, breach.counts, breach.shared = 0.0, [0, 0, 0, 0], False
            continue
        if not breach.counts[0]:
            breach.since = window.start
        live = (0, 0) if window.recorded else (baseline.requests, baseline.count(budget.metric))
        breach.counts = [a + b for a, b in zip(breach.counts, (canary.requests, events, *live), strict=True)]
        if window.end - breach.since < budget.lasting or not beyond_chance(breach, budget, policy.alpha):
            continue
        # Rounded counts of the same trouble: half the budget on the baseline is trouble there too.
        breach.shared = breach.counts[2] > 0 and breach.counts[3] > budget.over / 2 * breach.counts[2]
        if not breach.shared or budget.shared == "rollback":
            broken = broken or budget
    return broken


def shared_breach(state: JudgeState, policy: JudgePolicy) -> tuple[Budget, Breach] | None:
    """A budget that both versions are over now, if any: a reason to hold."""
    for budget, breach in zip(policy.budgets, state.breaches, strict=True):
        if breach.shared:
            return budget, breach
    return None


def beyond_chance(breach: Breach, budget: Budget, alpha: float) -> bool:
    """Whether a canary at half the budget would hardly ever show these counts (Chernoff's bound).

    Few requests are over any share by chance: one error in three is 33%.
    """
    requests, events = breach.counts[:2]
    share, half = events / requests, budget.over / 2
    if share <= half:
        return False
    distance = share * log(share / half)
    if share < 1:
        distance += (1 - share) * log((1 - share) / (1 - half))
    return requests * distance >= log(10 / alpha)
