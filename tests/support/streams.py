"""Windows to judge, made quickly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from candlefish.analysis.model import Arm, Window
from candlefish.catalog.model import Budget, Duration, JudgePolicy

MINUTE = 60.0

POLICY = JudgePolicy(name="test")
OBJECTIVES = JudgePolicy(
    name="objectives",
    budgets=(
        Budget(metric="errors", over=0.25, lasting=Duration(0)),
        Budget(metric="errors", over=0.1, lasting=Duration(300)),
        Budget(metric="errors", over=0.5, lasting=Duration(120), shared="rollback"),
        Budget(metric="slow", over=0.05, lasting=Duration(300)),
    ),
)


def window(
    minute: int, baseline: tuple[int, int], canary: tuple[int, int], slow: tuple[int, int] = (0, 0)
) -> Window:
    """The n-th minute: (requests, errors) on both sides, and how many were slow."""
    return Window(
        MINUTE * minute,
        MINUTE * minute + MINUTE,
        Arm(baseline[0], baseline[1], slow[0]),
        Arm(canary[0], canary[1], slow[1]),
    )


def traffic(
    seed: int,
    *,
    rate: int = 3000,
    weight: float | Sequence[float] = 0.1,
    base: float | Sequence[float] = 0.005,
    times: float = 1.0,
    begins: int = 0,
    minutes: int = 60,
    burst: float = 0.0,
    slow: float = 0.0,
    slow_times: float = 1.0,
) -> list[Window]:
    """One release's windows: Poisson load, binomial errors; `times` the errors from window `begins` on."""
    rng = np.random.default_rng(seed)
    weights = np.broadcast_to(np.asarray(weight, float), minutes)
    shares = np.broadcast_to(np.asarray(base, float), minutes)
    windows = []
    for minute in range(minutes):
        requests = int(rng.poisson(rate))
        canary = int(rng.binomial(requests, weights[minute]))
        noise = rng.gamma(1 / burst, burst, 2) if burst else (1.0, 1.0)
        factor = times if minute >= begins else 1.0
        late = slow_times if minute >= begins else 1.0
        counts = (requests - canary, canary)
        errors = [
            int(rng.binomial(n, min(1.0, shares[minute] * f * u)))
            for n, f, u in zip(counts, (1.0, factor), noise, strict=True)
        ]
        lags = [int(rng.binomial(n, min(1.0, slow * f))) for n, f in zip(counts, (1.0, late), strict=True)]
        windows.append(window(minute, (counts[0], errors[0]), (counts[1], errors[1]), (lags[0], lags[1])))
    return windows
