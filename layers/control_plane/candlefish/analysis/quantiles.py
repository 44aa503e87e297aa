"""Latency in quantiles, from counts of requests that took longer than each of a few edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Any

from candlefish.analysis.counts import wilson

# Quantiles that people speak in. The one that moved most is told of; p95 where it moved as much as any.
QUANTILES = (0.95, 0.5, 0.75, 0.9, 0.99)
_AS_MUCH = 0.8
# Between two edges so many times apart nobody knows where a quantile lies.
_FAR = 3.0


def quantile_shift(counts: Mapping[float, Sequence[int]]) -> dict[str, Any]:
    """Which quantile moved, from what to what.

    Parameters
    ----------
    counts
        By edge in seconds: the baseline's requests and those over the edge, the canary's requests and those over it.

    Returns
    -------
    `quantile` (0.95), `baseline` and `canary` (seconds; low, middle, high of a 95% interval), and `words`. Empty when
    no quantile lies between near edges on both sides.
    """
    found = []
    for quantile in QUANTILES:
        baseline, canary = (_quantile(quantile, counts, side) for side in (0, 2))
        if baseline and canary:
            found.append((abs(log(canary[1] / baseline[1])), quantile, baseline, canary))
    if not found:
        return {}
    most = max(moved for moved, *_ in found)
    _, quantile, baseline, canary = next(one for one in found if one[0] >= _AS_MUCH * most)
    words = (
        f"p{100 * quantile:g} {_time(baseline[1])} -> {_time(canary[1])}, "
        f"95% interval {_time(canary[0])} to {_time(canary[2])}"
    )
    return {"quantile": quantile, "baseline": list(baseline), "canary": list(canary), "words": words}


def quantile_over(over: Mapping[float, tuple[int, int]], quantile: float) -> float | None:
    """A quantile in seconds of one version, from its requests and those over each edge; None where no edge tells."""
    found = _quantile(quantile, over, 0)
    return found[1] if found else None


def _quantile(
    quantile: float, counts: Mapping[float, Sequence[int]], side: int
) -> tuple[float, float, float] | None:
    """A quantile with its interval, seconds; None where it lies outside of the edges."""
    edges = sorted(counts)
    over = [(counts[edge][side], counts[edge][side + 1]) for edge in edges]
    if len(edges) < 2 or not over[0][0]:
        return None
    middles = [k / n if n else 0.0 for n, k in over]
    found = _crossing(edges, middles, 1 - quantile)
    if found is None:
        return None
    bounds = [wilson(k, n) if n else (0.0, 1.0) for n, k in over]
    low = _crossing(edges, [low for low, _ in bounds], 1 - quantile)
    high = _crossing(edges, [high for _, high in bounds], 1 - quantile)
    return (edges[0] if low is None else low, found, edges[-1] if high is None else high)


def _crossing(edges: Sequence[float], shares: Sequence[float], wanted: float) -> float | None:
    """Where the share of requests over it falls to what is wanted, between two near edges in the logarithm of time."""
    for at in range(1, len(edges)):
        above, below = shares[at - 1], shares[at]
        if above >= wanted >= below and above > below:
            if edges[at] > _FAR * edges[at - 1]:
                return None
            part = (above - wanted) / (above - below)
            return exp(log(edges[at - 1]) * (1 - part) + log(edges[at]) * part)
    return None


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
