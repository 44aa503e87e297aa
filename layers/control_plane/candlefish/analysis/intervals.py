"""Intervals of shares."""

from __future__ import annotations

from math import sqrt


def wilson(events: float, requests: float, sure: float = 1.96) -> tuple[float, float]:
    """Between which shares the counts lie (Wilson 1927), so many standard deviations either way; `requests` > 0."""
    share, square = events / requests, sure * sure / requests
    middle = (share + square / 2) / (1 + square)
    half = sqrt(max(0.0, share * (1 - share)) * square + square * square / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
