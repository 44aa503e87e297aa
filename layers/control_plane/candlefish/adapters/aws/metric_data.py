"""One GetMetricData, all pages of it: what CloudWatch says of some metrics, by the start of each period.

It is billed by the metrics that it asks for, so nothing is asked for that a look does not need.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median_low
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.analysis.model import MetricTarget, Window
from candlefish.errors import Misconfigured, Throttled, Unavailable

# Data is late for longer than `settle` once in a while: silence on both sides is believed this many times later,
# and this many times later nothing grows any more.
SILENCE = 3.0
FINAL = 5.0
_PAGES = 50
# Where a service's latencies are told apart, and over how long they are summed up, in seconds.
PERCENTILES = ("p25", "p50", "p75", "p90", "p95", "p99", "p99.9")
HOUR = 3600


def stat_query(
    key: str, namespace: str, metric: str, stat: str, where: Mapping[str, str], period: int
) -> dict[str, Any]:
    """A MetricDataQuery of one statistic, by the metric's dimensions (`where`), in periods of so many seconds."""
    dimensions = [{"Name": name, "Value": value} for name, value in where.items()]
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": key, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}, "ReturnData": True}


def settled_periods(target: MetricTarget, since: float, until: float) -> range:
    """The starts of the periods between two moments that have settled; they lie on multiples of `target.window`."""
    period = max(1, round(target.window))
    first = math.ceil(since / period) * period
    return range(first, math.floor((until - target.settle) / period) * period, period)


def grows(target: MetricTarget, end: float, until: float) -> bool:
    """Whether more may come of a period that ended at `end`."""
    return end > until - FINAL * target.settle


def without_silence(windows: list[Window], target: MetricTarget, until: float) -> list[Window]:
    """The windows without those at the end in which neither side was heard, while that is not to be believed."""
    believed = until - SILENCE * target.settle
    while windows and windows[-1].end > believed and not _heard(windows[-1]):
        windows.pop()
    return windows


def _heard(window: Window) -> bool:
    return bool(window.baseline.requests or window.canary.requests)


def quantile_queries(namespace: str, metric: str, where: Mapping[str, str]) -> list[dict[str, Any]]:
    """Queries of a metric's percentiles, each hour's."""
    return [
        stat_query(f"p_{number}", namespace, metric, stat, where, HOUR)
        for number, stat in enumerate(PERCENTILES)
    ]


def quantiles_of(values: Mapping[str, Mapping[int, float]]) -> list[float]:
    """What came of `quantile_queries`: of each percentile the middle hour's."""
    return [
        median_low(told.values()) for number in range(len(PERCENTILES)) if (told := values.get(f"p_{number}"))
    ]


def read_metric_data(
    client: Any, target: MetricTarget, queries: list[dict[str, Any]], first: int, last: int
) -> Mapping[str, dict[int, float]]:
    """Values by the start of their period, by the query's id. `client` is botocore's, times are epoch seconds.

    Raises
    ------
    Unavailable
        CloudWatch did not answer, or only in part, or does not let us.
    """
    values: dict[str, dict[int, float]] = defaultdict(dict)
    states: dict[str, str] = {}
    request: dict[str, Any] = {
        "MetricDataQueries": queries,
        "StartTime": datetime.fromtimestamp(first, UTC),
        "EndTime": datetime.fromtimestamp(last, UTC),
        "ScanBy": "TimestampAscending",
    }
    what = f"reading metrics of {target.service} in {target.environment}"
    for _ in range(_PAGES):
        try:
            with aws_call(what):
                answer = client.get_metric_data(**request)
        except (Throttled, Misconfigured) as error:
            # Whatever keeps us from reading, the canary is not to blame.
            raise Unavailable(str(error)) from error
        for result in answer["MetricDataResults"]:
            states[result["Id"]] = result.get("StatusCode", "Complete")
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                values[result["Id"]][round(at.timestamp())] = value
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    missing = [query["Id"] for query in queries if states.get(query["Id"]) != "Complete"]
    if missing or answer.get("NextToken"):
        raise Unavailable(
            f"{what}: CloudWatch answered in part ({', '.join(missing) or 'too many pages'}); "
            "it will be read again at the next look"
        )
    return values
