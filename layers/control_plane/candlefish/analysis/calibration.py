"""How bursty a service is, from its own history: the prior the judge starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from candlefish.analysis.evidence import NO_HISTORY
from candlefish.analysis.likelihood import log_split
from candlefish.analysis.model import Arm, Window

# No history makes a level of burstiness less likely than one in a thousand: services change.
_FLOOR = -6.9
# Weight of what was known before, per refresh.
_MEMORY = 0.5


class Calibration(msgspec.Struct, frozen=True):
    """Log-weights of `likelihood.BURSTS` for one metric.

    `burst` compares the same minute on two arms (estimated from consecutive windows of one arm);
    `drift` compares different hours, for a baseline that was recorded before the release.
    """

    burst: list[float]
    drift: list[float]
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


def _refreshed(served: Sequence[Window], metric: str, known: Calibration | None, lag: int) -> Calibration:
    fresh = [w for w in served if known is None or w.start >= known.until]
    if known and not fresh:
        return known
    arms = [w.baseline for w in fresh]
    # Every other pair, so that none shares a window with the next.
    close = list(zip(arms[::2], arms[1::2], strict=False))
    apart = list(zip(arms, arms[lag:], strict=False))
    burst = _levels(close, metric, known.burst if known else None)
    drift = _levels(apart, metric, known.drift if known else None)
    pairs, until = len(close) + (known.pairs if known else 0), fresh[-1].end if fresh else 0.0
    return Calibration(burst, drift, pairs, until)


def _levels(pairs: Sequence[tuple[Arm, Arm]], metric: str, known: Sequence[float] | None) -> list[float]:
    logs = [_MEMORY * one for one in known] if known else list(NO_HISTORY)
    for first, second in pairs:
        found = log_split((first.requests, first.count(metric)), (second.requests, second.count(metric)))
        logs = [a + b for a, b in zip(logs, found, strict=True)]
    top = max(logs)
    return [max(one - top, _FLOOR) for one in logs]
