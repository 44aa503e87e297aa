"""Where the evidence stands between rolling back and promoting, for whoever looks at it: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log

import msgspec

from candlefish.analysis.judge import in_favour_of_all, threshold, total_evidence
from candlefish.analysis.model import Arm, JudgeState, Verdict, Window
from candlefish.analysis.quantiles import quantile_over
from candlefish.catalog.model import JudgePolicy

# What is open is shown as open, however near it is to an end.
_NEAR = 0.99


class Standing(msgspec.Struct, frozen=True):
    """Evidence against the canary and what rolls back, for it and what promotes; `decided` where a decision fell."""

    against: float = 1.0
    rolls_back: float = 0.0
    favour: float = 1.0
    promotes: float = 0.0
    decided: str = ""


class HeardSource(msgspec.Struct, frozen=True):
    """What a look heard from one source: the windows that were consumed, and what it knows after them."""

    source: str
    windows: Sequence[Window]
    state: JudgeState
    verdict: Verdict
    standing: Standing


# Told of each source that a look heard.
Told = Callable[[HeardSource], None]


def standing_of(policy: JudgePolicy, state: JudgeState) -> Standing:
    """Where a source's evidence stands after its newest window."""
    decided = "rolls back" if state.rolled_back else "promotes" if state.promoted else ""
    return Standing(
        total_evidence(state),
        threshold(policy),
        in_favour_of_all(policy, state),
        1 / policy.promote_alpha,
        decided,
    )


def position(standing: Standing) -> float:
    """Between "roll back" (-1) and "promote" (1), on a logarithmic scale; what is not decided is at neither end."""
    if standing.decided:
        return -1.0 if standing.decided == "rolls back" else 1.0
    back = _part(standing.against, standing.rolls_back)
    return -back if back > 0 else _part(standing.favour, standing.promotes)


def _part(evidence: float, needed: float) -> float:
    if evidence <= 1 or needed <= 1:
        return 0.0
    return min(log(evidence) / log(needed), _NEAR)


def latency_of(arm: Arm) -> tuple[float | None, float | None]:
    """p50 and p95 of a window, seconds, as far as the edges tell that were counted."""
    return _latency(arm.beside)


def latency_in(state: JudgeState, side: int) -> tuple[float | None, float | None]:
    """The same since the step began; `side` 0 is the baseline, 2 the canary."""
    return _latency(
        {name: (tally.total[side], tally.total[side + 1]) for name, tally in state.metrics.items()}
    )


def _latency(streams: Mapping[str, tuple[int, int]]) -> tuple[float | None, float | None]:
    over = {float(name[5:]): counts for name, counts in streams.items() if name.startswith("over:")}
    return quantile_over(over, 0.5), quantile_over(over, 0.95)
