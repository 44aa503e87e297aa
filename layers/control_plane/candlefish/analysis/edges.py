"""Which latencies are told apart: chosen once a release from what the service did before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

# Where the distribution is looked at.
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
# As many edges at most, and as many where there are so many bounds to choose from.
MOST, ENOUGH = 10, 7
# How many endpoints are judged one by one.
PLACES = 20


def edges_of_buckets(upto: Mapping[float, float], slow_over: float) -> tuple[float, ...]:
    """Seven to ten bounds of a histogram, ascending: those nearest to `QUANTILES`, and what follows them.

    Parameters
    ----------
    upto
        How many requests took so many seconds at most, by the bound; without +Inf. All zero where nothing is known of
        the service: then the bounds are taken from the whole length of the list.
    slow_over
        The policy's budget, seconds; its bound is always one of them.
    """
    bounds = sorted(upto)
    whole = max(upto.values(), default=0.0)
    if len(bounds) <= ENOUGH:
        return tuple(bounds)
    chosen = {bound for bound in bounds if bound == slow_over}
    if whole:
        for wanted in QUANTILES:
            chosen.add(min(bounds, key=lambda bound: (abs(upto[bound] / whole - wanted), bound)))
    else:
        chosen |= {bounds[round(n * (len(bounds) - 1) / (ENOUGH - 1))] for n in range(ENOUGH)}
    # A version that is slower than ever is seen above all that there was; then what lies nearest around it.
    top = bounds.index(max(chosen - {slow_over} or chosen))
    near = sorted(range(len(bounds)), key=lambda at: (abs(at - top), -at))
    for at in (top + 1, *near):
        if len(chosen) >= ENOUGH and at != top + 1:
            break
        if at < len(bounds):
            chosen.add(bounds[at])
    return tuple(sorted(_thinned(chosen, slow_over)))


def edges_of_quantiles(seconds: Sequence[float], slow_over: float) -> tuple[float, ...]:
    """Edges from the quantiles themselves, to two digits, distinct, with the policy's budget; ascending, seconds."""
    rounded = {float(f"{each:.2g}") for each in seconds if each > 0}
    return tuple(sorted(rounded | {slow_over}))[: MOST + 1] if rounded else ()


def top_places(requests: Mapping[str, float]) -> tuple[str, ...]:
    """The endpoints with the most requests, by falling traffic; those without a name or requests are none."""
    busy = [(count, place) for place, count in requests.items() if place and count > 0]
    return tuple(place for _, place in sorted(busy, key=lambda each: (-each[0], each[1]))[:PLACES])


def _thinned(chosen: set[float], slow_over: float) -> set[float]:
    """At most `MOST`: of the two that are nearest to each other by their ratio the lower one goes."""
    while len(chosen) > MOST:
        pairs = [(above / below, below) for below, above in pairwise(sorted(chosen)) if below != slow_over]
        chosen = chosen - {min(pairs)[1]}
    return chosen
