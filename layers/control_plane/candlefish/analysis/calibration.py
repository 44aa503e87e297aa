"""What a service is like when nothing is wrong, from its own history: the prior the judge starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

import msgspec

from candlefish.analysis.counts import Counts, add, wilson
from candlefish.analysis.levels import DOUBT, FAR, LEVELS, NO_HISTORY, OUTLIERS, likeness
from candlefish.analysis.likelihood import BURSTS, log_pair
from candlefish.analysis.model import Arm, Window

# No history makes a level of noise less likely than one in a thousand: services change.
_FLOOR = -6.9
# Weight of what was known before, per refresh.
_MEMORY = 0.5
# Pairs of windows some minutes apart repeat what neighbours say already.
_APART = 1.0
# Share of pairs that may be anything.
_OUTLIER = 0.05
# Standard deviations of doubt about a rate.
_SURE = 3.0


class Calibration(msgspec.Struct, frozen=True):
    """Log-weights of `levels.LEVELS` for one stream, and what its rate has been.

    `burst` compares the same minute on two arms (estimated from windows of one arm); `drift` compares different hours,
    for a baseline that was recorded before the release.
    """

    burst: list[float]
    drift: list[float]
    # Share of windows that were like nothing else.
    outliers: float = OUTLIERS
    # The highest rate that a window certainly had, or that all of them may have on the whole; 0 without history.
    highest: float = 0.0
    # Pairs of windows it rests on, and the end of the newest one; epoch seconds.
    pairs: int = 0
    until: float = 0.0


def calibrate(
    windows: Sequence[Window],
    metrics: Sequence[str],
    previous: Mapping[str, Calibration] | None = None,
    lag: int = 60,
) -> dict[str, Calibration]:
    """Learn from windows before the release, in which the `baseline` arm served alone.

    Parameters
    ----------
    windows
        Any order; those in which the baseline had no requests are skipped.
    previous
        What was known before; refreshed, with half its weight, by the windows it has not seen.
    lag
        How many windows apart a recorded baseline is from what it is compared with.
    """
    served = sorted((w for w in windows if w.baseline.requests), key=lambda w: w.start)
    known = previous or {}
    return {name: _refreshed(served, name, known.get(name), lag) for name in metrics}


def pair_of(arm: Arm, stream: str) -> Counts:
    """How much of a stream an arm had in a window, and how much of it was bad."""
    much, bad = arm.beside.get(stream, (0, 0)) if ":" in stream else (arm.requests, arm.count(stream))
    return much, min(much, bad)


def _refreshed(served: Sequence[Window], stream: str, known: Calibration | None, lag: int) -> Calibration:
    if known and len(known.burst) != len(LEVELS):
        # Of another version of the judge.
        known = None
    fresh = [w for w in served if known is None or w.start >= known.until]
    if known and not fresh:
        return known
    arms = [pair_of(w.baseline, stream) for w in fresh]
    if not any(events for _, events in arms):
        # Nothing to learn from but that nothing happened.
        return _quiet(arms, fresh, known)
    length = fresh[0].end - fresh[0].start
    far = max(2, round(FAR / length))
    # Every other pair, so that none shares a window with the next.
    close = list(zip(arms[::2], arms[1::2], strict=False))
    blocks = range(0, len(arms) - far, 2 * far)
    # Every other one of these, for they hang together.
    apart = [
        pair for at in blocks for pair in list(zip(arms[at : at + far], arms[at + far :], strict=False))[::2]
    ]
    hours = list(zip(arms, arms[lag:], strict=False))[::2]
    burst = _levels(((close, length, 1.0), (apart, far * length, _APART)), known.burst if known else None)
    drift = _levels(((hours, lag * length, 2.0),), known.drift if known else None)
    return Calibration(
        burst,
        drift,
        outliers=_outliers(close, length, burst, known),
        highest=_highest(arms, known),
        pairs=len(close) + (known.pairs if known else 0),
        until=fresh[-1].end,
    )


def _quiet(arms: Sequence[Counts], fresh: Sequence[Window], known: Calibration | None) -> Calibration:
    return Calibration(
        known.burst if known else list(NO_HISTORY),
        known.drift if known else list(NO_HISTORY),
        outliers=known.outliers if known else OUTLIERS,
        highest=_highest(arms, known) if arms else 0.0,
        pairs=known.pairs if known else 0,
        until=fresh[-1].end if fresh else 0.0,
    )


Pairs = tuple[Sequence[tuple[Counts, Counts]], float, float]


def _levels(kinds: Sequence[Pairs], known: Sequence[float] | None) -> list[float]:
    """Log-weights of the levels after pairs of several kinds: the pairs, seconds apart, and how much each counts."""
    logs = [_MEMORY * one for one in known] if known else list(NO_HISTORY)
    every = tuple(range(len(LEVELS)))
    for pairs, seconds, share in kinds:
        for first, second in pairs:
            found = likeness(first, second, seconds, every)
            logs = [a + share * b for a, b in zip(logs, found, strict=True)]
    top = max(logs)
    return [max(one - top, _FLOOR) for one in logs]


def _outliers(
    close: Sequence[tuple[Counts, Counts]], length: float, burst: Sequence[float], known: Calibration | None
) -> float:
    """Share of windows that no level explains: the expected number of them, and some doubt."""
    best = LEVELS[max(range(len(LEVELS)), key=lambda level: burst[level])].apart(length)
    odd = 0.0
    for first, second in close:
        if first[0] <= 0 or second[0] <= 0 or not first[1] + second[1]:
            continue
        usual, anything = log_pair(first, second, best), log_pair(first, second, BURSTS[-1])
        doubt = 1 / (1 + (1 - _OUTLIER) / _OUTLIER * exp(min(usual - anything, 500.0)))
        odd += doubt if doubt > 0.5 else 0.0
    if known:
        odd += _MEMORY * known.outliers * 2 * known.pairs
    number = 2 * (len(close) + (_MEMORY * known.pairs if known else 0))
    return min(0.1, (odd + 0.5) / (number + DOUBT))


def _highest(arms: Sequence[Counts], known: Calibration | None) -> float:
    requests, events = add(arms)
    if not requests:
        return known.highest if known else 0.0
    whole = wilson(events, requests, _SURE)[1]
    certain = max((wilson(k, n, _SURE)[0] for n, k in arms if n), default=0.0)
    return max(whole, certain, _MEMORY * known.highest if known else 0.0)
