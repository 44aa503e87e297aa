"""Requests and how many of them were bad: shares, their intervals, and how unlikely they are."""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt

# How many there were, and how many of them were bad.
Counts = tuple[int, int]


def add(counts: Iterable[Counts]) -> Counts:
    """Requests and bad ones of several counts together."""
    requests = events = 0
    for each in counts:
        requests += each[0]
        events += each[1]
    return requests, events


def share_of(counts: Counts) -> float:
    """The share of bad requests; 0 without requests."""
    return counts[1] / counts[0] if counts[0] else 0.0


def of(counts: Counts) -> str:
    """Counts as an operator reads them."""
    return f"{percent(share_of(counts))} ({counts[1]:,} of {counts[0]:,})"


def percent(share: float) -> str:
    """A share as an operator reads it."""
    return f"{100 * share:.3g}%"


def wilson(events: float, requests: float, sure: float = 1.96) -> tuple[float, float]:
    """Between which shares the counts lie (Wilson 1927), so many standard deviations either way; `requests` > 0."""
    share, square = events / requests, sure * sure / requests
    middle = (share + square / 2) / (1 + square)
    half = sqrt(max(0.0, share * (1 - share)) * square + square * square / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def distance(counts: Counts, share: float, *, under: bool = False) -> float:
    """Chernoff's bound on how unlikely these counts are at a share, as minus its logarithm; 0 on the wrong side of it.

    `under` asks about fewer bad ones than the share says, otherwise it is about more.
    """
    requests, events = counts
    if not requests:
        return 0.0
    seen = events / requests
    if (seen >= share) if under else (seen <= share):
        return 0.0
    found = seen * log(seen / share) if seen else 0.0
    if seen < 1:
        found += (1 - seen) * log((1 - seen) / (1 - share))
    return requests * found
