"""Absolute objectives: a canary that is as bad as its baseline is still bad."""

from __future__ import annotations

from math import log, sqrt

from candlefish.analysis.counts import distance
from candlefish.analysis.model import Arm, Breach, JudgeState, Window
from candlefish.catalog.model import Budget, JudgePolicy


def watch_budgets(state: JudgeState, policy: JudgePolicy, window: Window) -> Budget | None:
    """Consume a window; returns the budget that is broken and calls for a rollback, if any.

    A stretch ends with the first window below the budget; a window without canary requests neither
    ends nor lengthens it. Of a canary that is warming up only single windows count that leave no doubt.
    """
    broken = None
    warming = window.start < state.warm_until
    for budget, breach in zip(policy.budgets, state.breaches, strict=True):
        if warming and budget.lasting:
            continue
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
        # One minute of a kind that the service has now and then leaves doubt.
        usual = state.ceiling if budget.lasting <= window.end - window.start else 0.0
        if window.end - breach.since < budget.lasting or not beyond_chance(
            (breach.counts[0], breach.counts[1]), max(budget.over / 2, usual), policy.alpha
        ):
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


def gross(policy: JudgePolicy, state: JudgeState, window: Window) -> bool:
    """Whether one window is failure enough, however small the canary: beyond chance and all that the service has known.

    The baseline's own errors, in this window and so far, are what it may be compared with; where the baseline fails
    as well it is trouble that both share.
    """
    requests, events = window.canary.requests, window.canary.errors
    if not requests or events < LEAST_GROSS or events < policy.gross * requests:
        return False
    live = window.baseline if not window.recorded else Arm(0)
    if live.requests and live.errors > policy.gross / 2 * live.requests:
        return False
    now = 2 * live.errors / live.requests if live.requests else 0.0
    if state.ceiling:
        before = GROSS_RISE * state.ceiling
    else:
        known = state.metrics["errors"].total
        before = max(UNKNOWN_RATE, _at_most(known[1] + live.errors, known[0] + live.requests))
    usual = max(now, before)
    return beyond_chance((requests, events), usual, policy.alpha)


# Fewer failed requests than this are never gross.
LEAST_GROSS = 4
# How much worse than ever before it must be, and what a service without history may have had.
GROSS_RISE, UNKNOWN_RATE = 2.0, 0.02


def _at_most(events: int, requests: int) -> float:
    """What the share may be, two standard deviations up; 0 without requests."""
    return (events + 2 + 2 * sqrt(events + 1)) / requests if requests > LEAST_GROSS else 0.0


def beyond_chance(counts: tuple[int, int], usual: float, alpha: float) -> bool:
    """Whether a canary with the usual share would hardly ever show these counts (Chernoff's bound).

    Few requests are over any share by chance: one error in three is 33%.
    """
    return distance(counts, usual) >= log(10 / alpha)
