"""`candlefish.analysis.calibration` for many services at once: what each is like, from its own history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from candlefish.analysis import calibration, levels
from candlefish.analysis.levels import LEVELS, NO_HISTORY, OUTLIERS
from candlefish.analysis.likelihood import BURSTS
from cli.many.likelihoods import Floats, Split


class History(NamedTuple):
    """What `calibration.Calibration` says of a stream of each service, a row a service."""

    # Log-weights of the levels of noise, (levels, services).
    spread: Floats
    # Share of windows that were like nothing else, and the highest rate that a window certainly had.
    outliers: Floats
    highest: Floats


class Neighbours(NamedTuple):
    """Neighbours of windows of one arm, so many seconds apart; (services, pairs)."""

    n_1: Floats
    k_1: Floats
    n_2: Floats
    k_2: Floats
    seconds: float


def learn(n: Floats, k: Floats, length: float) -> History:
    """Learn from windows before the release, oldest first, in which the old version served alone.

    Parameters
    ----------
    n, k
        How much of the stream there was, and how much of it was bad: (services, windows), of `length` seconds each.
    """
    services, windows = n.shape
    far = max(2, round(levels.FAR / length))
    even = windows // 2 * 2
    close = _pairs(n, k, range(0, even, 2), range(1, even, 2), length)
    first = [
        at + i for at in range(0, windows - far, 2 * far) for i in range(0, min(far, windows - at - far), 2)
    ]
    apart = _pairs(n, k, first, [at + far for at in first], far * length)
    logs = np.tile(np.array(NO_HISTORY)[:, None], (1, services))
    for pairs, share in ((close, 1.0), (apart, calibration._APART)):
        split, at = _told(pairs)
        every = np.arange(len(at[0]))
        for level, noise in enumerate(LEVELS):
            found = split.logs(noise.apart(pairs.seconds), every)
            logs[level] += share * np.bincount(at[0], found, minlength=services)
    eventful = k.any(1)
    spread = np.where(
        eventful, np.maximum(logs - logs.max(0), calibration._FLOOR), np.array(NO_HISTORY)[:, None]
    )
    outliers = np.where(eventful, _outliers(close, spread), OUTLIERS)
    return History(spread, outliers, _highest(n, k))


def _pairs(n: Floats, k: Floats, one: Sequence[int], other: Sequence[int], seconds: float) -> Neighbours:
    first, second = list(one), list(other)
    return Neighbours(n[:, first], k[:, first], n[:, second], k[:, second], seconds)


def _told(pairs: Neighbours) -> tuple[Split, tuple[NDArray[np.intp], ...]]:
    """The pairs that tell something, and where they are."""
    at = np.nonzero((pairs.n_1 > 0) & (pairs.n_2 > 0) & (pairs.k_1 + pairs.k_2 > 0))
    return Split(pairs.n_1[at], pairs.k_1[at], pairs.n_2[at], pairs.k_2[at]), at


def _outliers(close: Neighbours, spread: Floats) -> Floats:
    """Share of windows that no level explains: the expected number of them, and some doubt."""
    split, at = _told(close)
    best = spread.argmax(0)[at[0]]
    doubt = np.zeros(len(best))
    for level, noise in enumerate(LEVELS):
        rows = np.flatnonzero(best == level)
        usual = split.alone(noise.apart(close.seconds), rows)
        odds = (1 - calibration._OUTLIER) / calibration._OUTLIER
        doubt[rows] = 1 / (1 + odds * np.exp(np.minimum(usual - split.alone(BURSTS[-1], rows), 500.0)))
    odd = np.bincount(at[0], np.where(doubt > 0.5, doubt, 0.0), minlength=spread.shape[1])
    found: Floats = np.minimum(0.1, (odd + 0.5) / (2 * close.n_1.shape[1] + levels.DOUBT))
    return found


def _highest(n: Floats, k: Floats) -> Floats:
    whole = _wilson(k.sum(1), n.sum(1), 1)
    certain = np.where(n > 0, _wilson(k, n, -1), 0.0).max(1, initial=0.0)
    return np.where(n.sum(1) > 0, np.maximum(whole, certain), 0.0)


def _wilson(events: Floats, requests: Floats, side: int) -> Floats:
    """`counts.wilson`, one of its ends."""
    requests, sure = np.maximum(requests, 1), calibration._SURE
    share, square = events / requests, sure * sure / requests
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
    bounded: Floats = np.clip(middle + side * half, 0.0, 1.0)
    return bounded
