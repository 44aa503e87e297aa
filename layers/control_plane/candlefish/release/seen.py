"""What a look of the judge leaves for people to see: values of what it heard (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from candlefish.analysis.model import Arm, JudgeState, MetricTarget, Verdict
from candlefish.analysis.standing import HeardSource, latency_in, latency_of, position
from candlefish.bounds import LONGEST_REASON, fit
from candlefish.catalog.model import JudgePolicy
from candlefish.release.model import LARGEST_EVIDENCE, SeenEvidence, SeenWindow, ServedCounts

# How many windows of a look are kept at most, the newest: a judge that begins late reads hours at once.
MOST_AT_ONCE = 200


def seen_by(
    heard: Sequence[HeardSource],
    verdict: Verdict,
    policy: JudgePolicy,
    target: MetricTarget,
    *,
    asked: Collection[str],
    before: Mapping[str, Any],
    mode: str,
    since: float,
    at: float,
    deadline: float,
) -> tuple[SeenEvidence, tuple[SeenWindow, ...]]:
    """What to show of a look; of several sources that which saw most of the new version, the policy's first of equals.

    `before` is what the judge knew, by source: of one that does not answer now it says up to when it had.
    """
    silent = tuple(sorted(set(asked) - {each.source for each in heard}))
    best = max(heard, key=lambda each: each.state.requests[1], default=None)
    said = fit(verdict.reason, LONGEST_REASON)
    if best is None:
        until = max([since, *(_until(each) for each in before.values())])
        nothing = SeenEvidence(at, verdict.action, mode, since, until, said, deadline=deadline, silent=silent)
        return nothing, ()
    state, standing, numbers = best.state, best.standing, best.verdict.evidence
    stretch = [*numbers.get("baseline", {}).values(), *numbers.get("canary", {}).values()]
    rule = state.rolled_back or state.promoted
    evidence = SeenEvidence(
        at=at,
        action=verdict.action,
        mode=mode,
        since=since,
        until=state.until,
        reason=said,
        old=_since_begun(state, 0),
        new=_since_begun(state, 2),
        windows=state.step_windows,
        length=state.length or float(policy.window),
        source=best.source,
        metric=str(numbers.get("metric", "")),
        stretch=tuple(stretch) if len(stretch) == 4 else (),
        decided=rule.rule if rule else "",
        against=standing.against,
        rolls_back=standing.rolls_back,
        favour=standing.favour,
        promotes=standing.promotes,
        position=position(standing),
        deadline=deadline,
        min_requests=policy.min_requests,
        min_windows=policy.min_windows,
        warm_until=state.warm_until,
        recorded=any(window.recorded for window in best.windows),
        silent=silent,
        numbers=_bounded(numbers),
    )
    windows = best.windows[-MOST_AT_ONCE:]
    kept = tuple(
        SeenWindow(
            window.start,
            window.end,
            target.weight,
            _counts(window.baseline),
            _counts(window.canary),
            best.source,
            evidence.position if window is windows[-1] else None,
        )
        for window in windows
    )
    return evidence, kept


def _until(known: Any) -> float:
    """Up to when a source had answered, by what its judge remembers; 0 where that says nothing."""
    state = known.get("state") if isinstance(known, Mapping) else None
    until = state.get("until") if isinstance(state, Mapping) else None
    return float(until) if isinstance(until, int | float) else 0.0


def _since_begun(state: JudgeState, side: int) -> ServedCounts:
    requests = state.requests[1 if side else 0]
    errors, slow = (
        state.metrics[name].total[side + 1] if name in state.metrics else 0 for name in ("errors", "slow")
    )
    return ServedCounts(requests, errors, slow, *latency_in(state, side))


def _counts(arm: Arm) -> ServedCounts:
    return ServedCounts(arm.requests, arm.errors, arm.slow, *latency_of(arm))


def _bounded(numbers: dict[str, object]) -> dict[str, object]:
    return numbers if len(repr(numbers)) < LARGEST_EVIDENCE // 4 else {"left_out": f"{len(numbers)} numbers"}
