"""What the judge says, in words and numbers that an operator understands."""

from __future__ import annotations

from datetime import UTC, datetime
from math import exp, log, sqrt
from typing import Any

from candlefish.analysis import evidence
from candlefish.analysis.model import Breach, JudgeState, Tally
from candlefish.catalog.model import Budget, JudgePolicy

# Beyond this, evidence is certainty, and only fills the line.
_MOST = 1e9
_WHAT = {"errors": "failed", "slow": "were slow"}


def verdict_numbers(policy: JudgePolicy, state: JudgeState, against: float, needed: float) -> dict[str, Any]:
    """The evidence of a verdict as plain values; `metric` is the one that speaks most against the canary."""
    found = {name: _metric(policy, state, name, tally) for name, tally in state.metrics.items()}
    deciding = max(found, key=lambda name: found[name]["e_value"])
    return {
        "e_value": _rounded(against),
        "threshold": needed,
        "metric": deciding,
        "windows": state.windows,
        "ignored": state.ignored,
        "until": state.until,
        **found[deciding],
        "metrics": found,
    } | {"e_value": _rounded(against)}


def _metric(policy: JudgePolicy, state: JudgeState, name: str, tally: Tally) -> dict[str, Any]:
    burst = evidence.burst(tally)
    less = any(counter.name == name and counter.bad == "less" for counter in policy.counters)
    e_value = evidence.against(tally, state.windows)
    # The stretch that speaks against the canary, where there is one worth speaking of; else the step.
    stretch = e_value > 1 and tally.run_log > 0
    counts = tally.run[:4] if stretch else tally.total
    windows = tally.run[4] if stretch else state.step_windows
    ratio, low, high = odds_ratio(counts, tally.run_odds if stretch else tally.total_odds, burst, windows)
    if less:
        counts = [*counts[2:], *counts[:2]]
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    return {
        "e_value": _rounded(e_value),
        "e_value_in_favour": _rounded(evidence.in_favour(tally)),
        "since": tally.run_since if stretch else state.since,
        "stretch": windows,
        "baseline": {"requests": counts[0], "events": counts[1]},
        "canary": {"requests": counts[2], "events": counts[3]},
        "odds_ratio": _rounded(ratio),
        "interval": [_rounded(low), _rounded(high)],
        "burstiness": _rounded(burst),
    }


def odds_ratio(
    counts: list[int], sums: list[float], burst: float, windows: int
) -> tuple[float, float, float]:
    """Odds ratio, canary over baseline, with an approximate 95% interval.

    Mantel and Haenszel's, which compares window by window, so that a rise that both versions share
    does not blur it; where either side has no events at all, that of the sums with half an event
    added. It describes the counts; the decision does not rest on it.
    """
    up, down, both, mixed, neither = sums
    if up > 0 and down > 0:
        middle = log(up / down)
        variance = both / (2 * up * up) + mixed / (2 * up * down) + neither / (2 * down * down)
    else:
        n_a, k_a, n_b, k_b = counts
        a, b, c, d = (max(cell, 0) + 0.5 for cell in (k_a, n_a - k_a, k_b, n_b - k_b))
        middle, variance = log(c * b / (a * d)), 1 / a + 1 / b + 1 / c + 1 / d
    spread = 1.96 * sqrt(variance + 2 * burst / max(windows, 1))
    return exp(middle), exp(middle - spread), exp(middle + spread)


def rolled_back(policy: JudgePolicy, state: JudgeState, found: dict[str, Any]) -> str:
    """Why traffic goes back."""
    assert state.rolled_back
    rule, _, index = state.rolled_back.rule.partition(" ")
    if rule == "budget":
        budget, breach = policy.budgets[int(index)], state.breaches[int(index)]
        return f"{_over(budget, breach)}; the objective is at most {_percent(budget.over)}{_for(budget)}"
    over = "over " if found["e_value"] >= _MOST else ""
    told = f"evidence {over}{found['e_value']:,.0f} to 1, {found['threshold']:,.0f} decides"
    return f"{_compared(found)}; {told}"


def both_failing(budget: Budget, breach: Breach) -> str:
    """Why nobody moves while both versions are in trouble."""
    return (
        f"{_over(budget, breach)}, and so is the baseline with {_of(breach.counts[2:])}: "
        "what they share is failing, and going back would not mend it"
    )


def promoted(policy: JudgePolicy, state: JudgeState, found: dict[str, Any]) -> str:
    """Why the canary may go on early."""
    return (
        f"no worse than tolerated: {_compared(found)}; worse than {policy.tolerance:g} times the baseline "
        f"and above {_percent(policy.negligible)} is ruled out"
    )


def survived(state: JudgeState, found: dict[str, Any]) -> str:
    """Why a bake ended well."""
    return f"watched for {_length(state.until - state.since)} without evidence against it: {_compared(found)}"


def undecided(policy: JudgePolicy, found: dict[str, Any]) -> str:
    """Why to look again."""
    if not found["windows"]:
        return "waiting for the first complete window"
    evidence_ = f"evidence {found['e_value']:,.3g} to 1 of {found['threshold']:,.0f}"
    return f"not decided yet: {_compared(found)}; {evidence_}"


def unresolved(policy: JudgePolicy, state: JudgeState, found: dict[str, Any]) -> str:
    """Why a person has to look."""
    if state.requests[1] < policy.min_requests:
        return (
            f"only {state.requests[1]:,} canary requests in {_length(state.until - state.since)}, "
            f"{policy.min_requests:,} are needed to tell; send it traffic or decide yourself"
        )
    return f"the time is up and the counts do not tell: {_compared(found)}; decide yourself"


def silence(state: JudgeState, seconds: float) -> str:
    """Why no news is not good news."""
    since = f"{_length(seconds)}, since {clock(state.until)}"
    return f"no complete window for {since}: the canary's state is unknown"


def gaps(state: JudgeState, seen: float, passed: float) -> str:
    """Why half a watch is no watch."""
    return f"only {_length(seen)} of {_length(passed)} were reported: the canary's state is unknown"


def no_traffic(state: JudgeState) -> str:
    """Why a canary without requests cannot be judged."""
    seen = f"the canary got no request in {state.step_windows} windows"
    return f"{seen}: its state is unknown; check its weight and targets"


def clock(at: float) -> str:
    """A moment as operators write it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%SZ")


def _compared(found: dict[str, Any]) -> str:
    what = _WHAT.get(found["metric"], f"had {found['metric']}")
    canary, baseline = _of(list(found["canary"].values())), _of(list(found["baseline"].values()))
    low, high = found["interval"]
    return (
        f"since {clock(found['since'])} ({found['stretch']} windows) {canary} requests of the "
        f"canary {what} against {baseline} of the baseline, "
        f"odds ratio {found['odds_ratio']:.3g} (95% interval {low:.3g} to {high:.3g})"
    )


def _over(budget: Budget, breach: Breach) -> str:
    what = _WHAT[budget.metric]
    return f"since {clock(breach.since)} {_of(breach.counts[:2])} requests of the canary {what}"


def _for(budget: Budget) -> str:
    return f" for {_length(budget.lasting)}" if budget.lasting else " in any window"


def _of(counts: list[int]) -> str:
    requests, events = counts
    return f"{events:,} of {requests:,} ({_percent(events / requests) if requests else 'no traffic'})"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _rounded(value: float) -> float:
    return float(f"{min(value, _MOST):.4g}")
