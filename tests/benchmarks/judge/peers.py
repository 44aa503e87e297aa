"""What other tools would have decided on the same counts, each from its documented rule.

Each rule is given the same one-minute counts at the moment the minute ends, without the delays of
its metrics pipeline (a CloudWatch alarm alone needs one to four minutes more), and the earliest
moment that its documentation allows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tests.benchmarks.judge.counts import Counts, Floats, Traffic


class Peer(NamedTuple):
    """A rule: first window (from 1) of a rollback per release, 0 for never."""

    name: str
    source: str
    decide: Callable[[Traffic], Counts]
    # Releases per cell, where the rule is too slow for all of them.
    at_most: int = 10**9


def _first(hit: Counts) -> Counts:
    return np.where(hit.any(1), hit.argmax(1) + 1, 0)


def _error_share(traffic: Traffic, minutes: int = 1) -> Floats:
    """Canary's error share over the last so many windows; NaN without requests."""
    requests, errors = traffic.canary_requests.cumsum(1), traffic.canary_errors.cumsum(1)
    if minutes < requests.shape[1]:
        requests[:, minutes:] -= traffic.canary_requests.cumsum(1)[:, :-minutes]
        errors[:, minutes:] -= traffic.canary_errors.cumsum(1)[:, :-minutes]
    return np.divide(errors, requests, out=np.full(errors.shape, np.nan), where=requests > 0)


def flagger(threshold: int) -> Callable[[Traffic], Counts]:
    """So many failed checks of request-success-rate < 99% over a minute; they add up and never lapse.

    A minute without a value halts the advance and counts as no failure.
    """

    def decide(traffic: Traffic) -> Counts:
        failed = np.nan_to_num(_error_share(traffic), nan=0.0) > 0.01
        return _first(failed.cumsum(1) >= threshold)

    return decide


def argo(limit: int, minutes: int) -> Callable[[Traffic], Counts]:
    """A measurement every so many minutes fails when the success rate is below 95%; the run fails
    with more than `limit` failed measurements."""

    def decide(traffic: Traffic) -> Counts:
        measured = np.nan_to_num(_error_share(traffic, minutes), nan=0.0) > 0.05
        taken = np.zeros_like(measured)
        taken[:, minutes - 1 :: minutes] = True
        return _first((measured & taken).cumsum(1) > limit)

    return decide


def alarm(breaches: int, of: int) -> Callable[[Traffic], Counts]:
    """A CloudWatch alarm on the canary's 5xx share above 1%, so many of so many minutes; missing
    data does not breach. CodeDeploy rolls back when it is in ALARM."""

    def decide(traffic: Traffic) -> Counts:
        over = (np.nan_to_num(_error_share(traffic), nan=0.0) > 0.01).astype(int)
        counted = over.cumsum(1)
        counted[:, of:] -= over.cumsum(1)[:, :-of]
        return _first(counted >= breaches)

    return decide


def kayenta(traffic: Traffic) -> Counts:
    """Mann-Whitney on the minutes' error shares, 98% confidence, tolerance a quarter of the
    Hodges-Lehmann shift; judged every ten minutes over everything so far (growing lookback)."""
    control = np.divide(
        traffic.baseline_errors,
        traffic.baseline_requests,
        out=np.zeros(traffic.baseline_errors.shape),
        where=traffic.baseline_requests > 0,
    )
    experiment = np.nan_to_num(_error_share(traffic), nan=0.0)
    found = np.zeros(control.shape[0], int)
    for size in range(10, control.shape[1] + 1, 10):
        left = np.flatnonzero(found == 0)
        for part in np.array_split(left, max(1, len(left) // 250)):
            if not len(part):
                continue
            shifts = (experiment[part, :size, None] - control[part, None, :size]).reshape(len(part), -1)
            # Normal approximation of the interval's order statistic, as R does for ties.
            spread = np.sqrt(size * size * (2 * size + 1) / 12)
            rank = max(int(size * size / 2 - 2.3263 * spread), 0)
            shifts.partition((rank, size * size // 2), axis=1)
            lower, middle = shifts[:, rank], shifts[:, size * size // 2]
            found[part[lower > 0.25 * np.abs(middle)]] = size
    return found


PEERS = (
    Peer(
        "Flagger, code default (threshold 1)",
        "fluxcd/flagger: GetAnalysisThreshold is 1 when unset, interval 1m; success rate 99%",
        flagger(1),
    ),
    Peer(
        "Flagger, docs (threshold 10)",
        "docs.flagger.app, canary example: interval 1m, threshold 10, success rate 99%",
        flagger(10),
    ),
    Peer(
        "Argo Rollouts, failureLimit 0",
        "argo-rollouts docs, analysis: failureLimit defaults to 0; success rate 0.95, every minute",
        argo(0, 1),
    ),
    Peer(
        "Argo Rollouts, docs (failureLimit 3, 5m)",
        "argo-rollouts docs, analysis: interval 5m, successCondition >= 0.95, failureLimit 3",
        argo(3, 5),
    ),
    Peer(
        "CloudWatch alarm 1 of 1 (CodeDeploy)",
        "CodeDeploy docs, alarm-based rollback; 5xx share > 1%, 1 of 1 minutes, missing = not breaching",
        alarm(1, 1),
    ),
    Peer(
        "CloudWatch alarm 3 of 5 (CodeDeploy)",
        "CodeDeploy docs, alarm-based rollback; 5xx share > 1%, 3 of 5 minutes, missing = not breaching",
        alarm(3, 5),
    ),
    Peer(
        "Kayenta Mann-Whitney",
        "spinnaker/kayenta NetflixACAJudge: confidence 0.98, tolerance 0.25; every 10 minutes, growing",
        kayenta,
        at_most=400,
    ),
)
