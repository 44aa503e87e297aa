"""`analysis.ports.WindowSource` on CloudWatch: what an Application Load Balancer reports per target group.

One GetMetricData per look, whatever it takes to read all pages of it. It is billed by the metrics that it asks
for, so nothing is asked for that the look does not need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from candlefish.adapters.aws.metric_data import (
    HOUR,
    grows,
    quantile_queries,
    quantiles_of,
    read_metric_data,
    settled_periods,
    stat_query,
    without_silence,
)
from candlefish.analysis.edges import edges_of_quantiles
from candlefish.analysis.model import Arm, MetricTarget, Survey, Window

_NAMESPACE = "AWS/ApplicationELB"
# Where business counters are looked for, by Service and Slot.
COUNTERS_NAMESPACE = "Candlefish"
# What a target may answer without having failed.
_ANSWERED = {kind: f"HTTPCode_Target_{kind}_Count" for kind in ("2XX", "3XX", "4XX")}
# What is known to have failed, where an answer that is not counted may be a WebSocket.
_FAILED = {"5XX": "HTTPCode_Target_5XX_Count", "refused": "TargetConnectionErrorCount"}


class CloudWatchWindows:
    """Windows from `RequestCount`, `HTTPCode_Target_2XX_Count` to `4XX` and `TargetResponseTime` of two target groups.

    Errors are the requests that the target was chosen for and did not answer well: all that came, less those that it
    answered with 2xx, 3xx or 4xx. So a 5xx of the target counts, and just as much a request that nobody answered: no
    connection, one that was closed in mid-request, an answer that is none, silence until the idle timeout. For those
    the load balancer answers 502 or 504 itself, which no metric of a target group counts. (`TargetResponseTime` would
    be one metric where this needs three, but AWS equates it with the access log's `target_processing_time`, which has
    a value for a target that closed in mid-request.) Of a service with WebSockets, whose 101 is in no count of answers
    either, errors are the 5xx and the connections that were not made. Slow requests are the trimmed count above the budget, which
    CloudWatch keeps to about 1%: rounded down for the canary and up for the baseline, so that rounding accuses nobody.

    A young window is `growing`: the load balancer's nodes report late and one by one, and a sum grows until all have.
    """

    def __init__(self, client: Any) -> None:
        """`client` is botocore's for `cloudwatch`."""
        self._client = client

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """See the port. Windows lie on multiples of `target.window`, as CloudWatch's periods do."""
        starts = settled_periods(target, since, until)
        if not starts:
            return ()
        period = starts.step
        found = self._read(target, period, starts.start, starts.stop)
        missing = _absent(found, target)
        windows = [
            Window(
                start=float(at),
                end=float(at + period),
                baseline=_arm(found["baseline"], at, target, math.ceil),
                canary=_arm(found["canary"], at, target, math.floor),
                source="cloudwatch",
                growing=grows(target, at + period, until),
                absent=missing,
            )
            for at in starts
        ]
        return without_silence(windows, target, until)

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        """See the port. Percentiles of each hour of the past, of which the middle one counts; one GetMetricData."""
        first, last = math.floor(since / HOUR) * HOUR, math.ceil(until / 60) * 60
        if last <= first or not target.baseline_group:
            return Survey()
        where = {"LoadBalancer": target.load_balancer, "TargetGroup": target.baseline_group}
        slot = {"Service": target.service, "Slot": target.baseline_slot}
        queries = quantile_queries(_NAMESPACE, "TargetResponseTime", where) + [
            stat_query(f"counter_{number}", COUNTERS_NAMESPACE, counter, "SampleCount", slot, HOUR)
            for number, counter in enumerate(target.counters)
        ]
        found = read_metric_data(self._client, target, queries, first, last)
        quantiles = quantiles_of(found)
        counters = [name for number, name in enumerate(target.counters) if found.get(f"counter_{number}")]
        return Survey(
            edges=edges_of_quantiles(quantiles, target.slow_over),
            reported=("errors", "slow", *counters) if quantiles else tuple(counters),
        )

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        """See the port. One metric, over all periods that lie within."""
        period = max(1, round(target.window))
        first, last = math.ceil(since / period) * period, math.floor(until / period) * period
        if last <= first:
            return 0.0
        where = {"LoadBalancer": target.load_balancer}
        query = stat_query("own", _NAMESPACE, "HTTPCode_ELB_5XX_Count", "Sum", where, period)
        return sum(read_metric_data(self._client, target, [query], first, last)["own"].values())

    def _read(
        self, target: MetricTarget, period: int, first: int, last: int
    ) -> Mapping[str, dict[str, dict[int, float]]]:
        queries = _queries(target, period)
        values = read_metric_data(self._client, target, [query for _, _, query in queries], first, last)
        found: dict[str, dict[str, dict[int, float]]] = {"baseline": {}, "canary": {}}
        for arm, name, query in queries:
            found[arm][name] = values[query["Id"]]
        return found


def _queries(target: MetricTarget, period: int) -> list[tuple[str, str, dict[str, Any]]]:
    metrics = [("requests", "RequestCount", "Sum")]
    if not target.requests_only:
        counted = _FAILED if target.websockets else _ANSWERED
        metrics += [(name, metric, "Sum") for name, metric in counted.items()]
        metrics += [("slow", "TargetResponseTime", f"TC({target.slow_over:g}:)")]
        metrics += [(name, "TargetResponseTime", f"TC({edge:g}:)") for name, edge in _edges(target)]
    queries = []
    for arm, slot, group in (
        ("baseline", target.baseline_slot, target.baseline_group),
        ("canary", target.canary_slot, target.canary_group),
    ):
        if not group:
            continue
        where = {"LoadBalancer": target.load_balancer, "TargetGroup": group}
        for name, metric, stat in metrics:
            queries.append((arm, name, stat_query(f"{arm}_{name}", _NAMESPACE, metric, stat, where, period)))
        where = {"Service": target.service, "Slot": slot}
        for number, counter in enumerate(() if target.requests_only else target.counters):
            key = f"{arm}_counter_{number}"
            queries.append((arm, counter, stat_query(key, COUNTERS_NAMESPACE, counter, "Sum", where, period)))
    return queries


def _edges(target: MetricTarget) -> list[tuple[str, float]]:
    """The edges that are asked for, each with the name of its query; the budget is asked for anyway."""
    asked = [edge for edge in target.survey.edges if edge != target.slow_over]
    return [(f"over_{number}", edge) for number, edge in enumerate(asked)]


def _arm(found: Mapping[str, Mapping[int, float]], at: int, target: MetricTarget, whole: Any) -> Arm:
    """Counts of one period; what an ALB does not report is zero, and no part exceeds the whole."""

    def count(name: str) -> float:
        return found.get(name, {}).get(at, 0.0)

    requests = round(count("requests"))
    if target.requests_only:
        return Arm(requests)
    answered = round(sum(count(name) for name in _ANSWERED))
    failed = round(sum(count(name) for name in _FAILED))
    slow = min(requests, whole(count("slow")))
    over = {edge: min(requests, whole(count(name))) for name, edge in _edges(target)} | {
        target.slow_over: slow
    }
    return Arm(
        requests=requests,
        errors=min(requests, failed) if target.websockets else max(0, requests - answered),
        slow=slow,
        counters={name: min(requests, round(count(name))) for name in target.counters},
        beside={f"over:{edge:g}": (requests, over[edge]) for edge in target.survey.edges},
    )


def _absent(found: Mapping[str, Mapping[str, Mapping[int, float]]], target: MetricTarget) -> tuple[str, ...]:
    """Business counters of which neither slot has any datapoint; what a load balancer reports is always there."""
    return tuple(name for name in target.counters if not any(arm.get(name) for arm in found.values()))
