"""What the judge says, in words and numbers that an operator understands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import exp, log, sqrt
from typing import Any

from candlefish.analysis import evidence
from candlefish.analysis.counts import percent, wilson
from candlefish.analysis.model import Breach, JudgeState
from candlefish.analysis.quantiles import quantile_shift
from candlefish.catalog.model import Budget, JudgePolicy

# Beyond this, evidence is certainty, and only fills the line.
_MOST = 1e9
# How many streams beside errors, slow requests and counters are told of, and from which evidence on.
_TOLD, _WORTH = 5, 2.0
# What is bad about a stream, of "the canary's ..."; {} is the rest of its name.
_WHAT = {
    "errors": "requests failed",
    "slow": "requests were slow",
    "over": "requests took longer than {} s",
    "at": "requests to {} failed",
    "kind": "requests failed in ways that the service did not know",
    "use:throttled": "CPU periods were throttled",
    "use:restarts": "Pod-seconds ended in a restart",
    "use:oom": "Pod-seconds ended out of memory",
}
# Above this share an odds ratio is no ratio of shares any more.
_RARE = 0.1


def verdict_numbers(
    policy: JudgePolicy, state: JudgeState, shares: dict[str, float], against: float, needed: float
) -> dict[str, Any]:
    """The evidence of a verdict as plain values; `metric` is the stream that speaks most against the canary.

    `shares` is how much each stream's evidence counts.
    """
    ranked = sorted(state.metrics, key=lambda name: shares[name] * state.metrics[name].against, reverse=True)
    beside = [name for name in ranked if ":" in name and state.metrics[name].against >= _WORTH][:_TOLD]
    found = _metric(policy, state, ranked[0])
    return {
        **found,
        "e_value": _rounded(against),
        "threshold": needed,
        "metric": ranked[0],
        "windows": state.windows,
        "ignored": state.ignored,
        "until": state.until,
        "metrics": {
            name: _brief(policy, state, name)
            for name in state.metrics
            if ":" not in name or name in beside or name == ranked[0]
        },
    }


def _brief(policy: JudgePolicy, state: JudgeState, name: str) -> dict[str, Any]:
    tally = state.metrics[name]
    counts = _sides(policy, name, tally.total)
    return {"e_value": _rounded(tally.against), "baseline": counts[:2], "canary": counts[2:]}


def _metric(policy: JudgePolicy, state: JudgeState, name: str) -> dict[str, Any]:
    tally = state.metrics[name]
    noise = evidence.burst(tally)
    # The stretch that speaks against the canary, where there is one worth speaking of; else the step.
    stretch = tally.against > 1 and tally.run_log > 0
    counts = tally.run[:4] if stretch else tally.total
    windows = tally.run[4] if stretch else state.step_windows
    sums = tally.run_odds if stretch else tally.total_odds
    ratio, low, high = odds_ratio(counts, sums, noise, evidence.wander(tally), windows)
    if _less(policy, name):
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    counts = _sides(policy, name, counts)
    found = {
        "e_value_in_favour": _rounded(evidence.in_favour(tally)),
        "since": tally.run_since if stretch else state.since,
        "stretch": windows,
        "baseline": {"requests": counts[0], "events": counts[1]},
        "canary": {"requests": counts[2], "events": counts[3]},
        "odds_ratio": _rounded(ratio),
        "interval": [_rounded(low), _rounded(high)],
        "burstiness": _rounded(noise),
    }
    if name.startswith("over:"):
        edges = {each[5:]: each for each in state.metrics if each.startswith("over:")}
        kind = "run" if stretch else "total"
        told = {float(edge): getattr(state.metrics[each], kind)[:4] for edge, each in edges.items()}
        found["quantiles"] = quantile_shift(told)
    return found


def _less(policy: JudgePolicy, name: str) -> bool:
    return any(counter.name == name and counter.bad == "less" for counter in policy.counters)


def _sides(policy: JudgePolicy, name: str, counts: list[int]) -> list[int]:
    """Counts of baseline and canary; of a counter that must not be less they were swapped."""
    return [*counts[2:], *counts[:2]] if _less(policy, name) else list(counts)


def odds_ratio(
    counts: list[int], sums: list[float], burst: float, wander: float, windows: int
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
    # What hangs together for ten windows is one tenth as much evidence.
    spread = 1.96 * sqrt(variance + (2 * burst + 10 * wander) / max(windows, 10 * (wander > 0.01), 1))
    return exp(middle), exp(middle - spread), exp(middle + spread)


def rolled_back(policy: JudgePolicy, state: JudgeState, found: dict[str, Any]) -> str:
    """Why traffic goes back."""
    assert state.rolled_back
    rule, _, index = state.rolled_back.rule.partition(" ")
    if rule == "budget":
        budget, breach = policy.budgets[int(index)], state.breaches[int(index)]
        return f"{_over(budget, breach)}; the objective is at most {percent(budget.over)}{_for(budget)}"
    if rule == "gross":
        return (
            f"{_of(state.gross)} requests of the canary failed in one window, which is beyond chance and beyond all "
            f"that the service has known (at most {percent(state.ceiling)})"
            if state.ceiling
            else f"{_of(state.gross)} requests of the canary failed in one window, which is beyond chance"
        )
    over = "over " if found["e_value"] >= _MOST else ""
    told = f"evidence {over}{found['e_value']:,.0f} to 1 that it is worse, {found['threshold']:,.0f} decides"
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
        f"no worse than tolerated: {_compared(found)}; {policy.tolerance:g} times as bad as the baseline "
        f"and above {percent(policy.negligible)} is ruled out"
    )


def survived(state: JudgeState, found: dict[str, Any]) -> str:
    """Why a bake ended well."""
    return f"watched for {_length(state.until - state.since)} without evidence against it: {_compared(found)}"


def undecided(policy: JudgePolicy, state: JudgeState, found: dict[str, Any]) -> str:
    """Why to look again."""
    if state.windows and state.until < state.warm_until:
        return (
            f"warming up until {clock(state.warm_until)}: only gross failure counts, "
            f"{percent(policy.gross)} of a window's requests; so far there was none"
        )
    if not state.step_windows:
        return "waiting for the first complete window"
    evidence_ = (
        f"evidence {found['e_value']:,.3g} to 1 that it is worse, {found['threshold']:,.0f} would roll back"
    )
    return f"not decided yet: {_compared(found)}; {evidence_}"


def unresolved(policy: JudgePolicy, state: JudgeState, found: dict[str, Any], least: str) -> str:
    """Why a person has to look; `least` is the stream that tells least of whether the canary is as good."""
    if state.requests[1] < policy.min_requests:
        return (
            f"only {state.requests[1]:,} canary requests in {_length(state.until - state.since)}, "
            f"{policy.min_requests:,} are needed to tell; send it traffic or decide yourself"
        )
    if state.until <= state.warm_until:
        return (
            f"the time is up, and all of it was warm-up ({_length(policy.warm_up)}), in which only gross failure counts; "
            "there was none. Let the step last longer than that, or decide yourself"
        )
    told = _metric(policy, state, least)
    return (
        f"the time is up and the counts do not tell: {_compared({**told, 'metric': least})}; evidence "
        f"{told['e_value_in_favour']:,.3g} to 1 that it is as good, {1 / policy.promote_alpha:,.0f} would promote, and "
        f"{found['e_value']:,.3g} to 1 that it is worse; decide yourself"
    )


def watched(states: Sequence[JudgeState]) -> str:
    """What a watch that has ended saw of the version, by the source that saw most of it."""
    most = max(states, key=lambda state: state.requests[1], default=None)
    if most is None or not most.requests[1]:
        return "no metrics store showed a request of the version meanwhile, so nothing is known of how it did"
    failed, slow = (most.metrics[name].total[3] for name in ("errors", "slow"))
    counted = most.requests[1]
    return (
        f"of {counted:,} requests since its promotion {percent(failed / counted)} failed and "
        f"{percent(slow / counted)} were slow, and nothing decided against it"
    )


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
    """The canary's rate against the baseline's, with intervals, and what that is in times."""
    since = f"since {clock(found['since'])} ({found['stretch']} window{'s' * (found['stretch'] != 1)})"
    canary, baseline = list(found["canary"].values()), list(found["baseline"].values())
    what = _what(found["metric"])
    told = f"{since} {_share(canary)} of the canary's {what} ({_counts(canary)}{_interval(canary)})"
    if baseline[0]:
        told += f" against {_share(baseline)} of the baseline's ({_counts(baseline)})"
    if found.get("quantiles"):
        return f"{told}: {found['quantiles']['words']}"
    low, high = found["interval"]
    rare = all(n and k <= _RARE * n for n, k in (canary, baseline))
    if rare and canary[1] and baseline[1] and (low > 1 or high < 1):
        return f"{told}: {low:.2g} to {high:.2g} times as many"
    return told


def _what(stream: str) -> str:
    head, _, rest = stream.partition(":")
    template = _WHAT.get(stream) or _WHAT.get(head) or f"requests had {stream}"
    return template.format(rest)


def _share(counts: list[int]) -> str:
    requests, events = counts
    return percent(events / requests) if requests else "nothing"


def _counts(counts: list[int]) -> str:
    requests, events = counts
    return f"{events:,} of {requests:,}"


def _interval(counts: list[int]) -> str:
    requests, events = counts
    if not requests:
        return ""
    low, high = wilson(events, requests)
    return f", 95% interval {percent(low)} to {percent(high)}"


def _over(budget: Budget, breach: Breach) -> str:
    what = _WHAT[budget.metric].removeprefix("requests ")
    return f"since {clock(breach.since)} {_of(breach.counts[:2])} requests of the canary {what}"


def _for(budget: Budget) -> str:
    return f" for {_length(budget.lasting)}" if budget.lasting else " in any window"


def _of(counts: list[int]) -> str:
    requests, events = counts
    return f"{events:,} of {requests:,} ({percent(events / requests) if requests else 'no traffic'})"


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _rounded(value: float) -> float:
    return float(f"{min(value, _MOST):.4g}")
