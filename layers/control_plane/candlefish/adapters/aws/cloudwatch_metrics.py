"""`analysis.ports.WindowSource` on CloudWatch: what an Application Load Balancer reports per target group.

One GetMetricData per look, whatever it takes to read all pages of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from candlefish.adapters.aws.api import aws_call
from candlefish.analysis.model import Arm, MetricTarget, Window
from candlefish.errors import Misconfigured, Throttled, Unavailable

_NAMESPACE = "AWS/ApplicationELB"
# Where business counters are looked for, by Service and Slot.
COUNTERS_NAMESPACE = "Candlefish"
_PAGES = 50
# Data is late for longer than `settle` once in a while: silence on both sides is believed this many times later.
_SILENCE = 3.0


class CloudWatchWindows:
    """Windows from `RequestCount`, `HTTPCode_Target_5XX_Count`, `TargetConnectionErrorCount` and
    `TargetResponseTime` of two target groups.

    Errors are what the target answered with 5xx and what the load balancer could not connect to:
    its own 5xx otherwise carry no target group and belong to neither version. Slow requests are the
    trimmed count above the budget, which CloudWatch keeps to about 1%: rounded down for the canary
    and up for the baseline, so that rounding accuses nobody.
    """

    def __init__(self, client: Any) -> None:
        """`client` is botocore's for `cloudwatch`."""
        self._client = client

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """See the port. Windows lie on multiples of `target.window`, as CloudWatch's periods do."""
        period = max(1, round(target.window))
        first = math.ceil(since / period) * period
        last = math.floor((until - target.settle) / period) * period
        if last <= first:
            return ()
        found = self._read(target, period, first, last)
        windows = [
            Window(
                start=float(at),
                end=float(at + period),
                baseline=_arm(found["baseline"], at, target, math.ceil),
                canary=_arm(found["canary"], at, target, math.floor),
                source="cloudwatch",
            )
            for at in range(first, last, period)
        ]
        believed = until - _SILENCE * target.settle
        while windows and windows[-1].end > believed and not _heard(windows[-1]):
            windows.pop()
        return windows

    def _read(
        self, target: MetricTarget, period: int, first: int, last: int
    ) -> Mapping[str, dict[str, dict[int, float]]]:
        queries = _queries(target, period)
        values: dict[str, dict[int, float]] = defaultdict(dict)
        states: dict[str, str] = {}
        request: dict[str, Any] = {
            "MetricDataQueries": [query for _, _, query in queries],
            "StartTime": datetime.fromtimestamp(first, UTC),
            "EndTime": datetime.fromtimestamp(last, UTC),
            "ScanBy": "TimestampAscending",
        }
        what = f"reading metrics of {target.service} in {target.environment}"
        for _ in range(_PAGES):
            try:
                with aws_call(what):
                    answer = self._client.get_metric_data(**request)
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
        missing = [query["Id"] for _, _, query in queries if states.get(query["Id"]) != "Complete"]
        if missing or answer.get("NextToken"):
            raise Unavailable(
                f"{what}: CloudWatch answered in part ({', '.join(missing) or 'too many pages'}); "
                "it will be read again at the next look"
            )
        found: dict[str, dict[str, dict[int, float]]] = {"baseline": {}, "canary": {}}
        for arm, name, query in queries:
            found[arm][name] = values[query["Id"]]
        return found


def _queries(target: MetricTarget, period: int) -> list[tuple[str, str, dict[str, Any]]]:
    slow = f"TC({target.slow_over:g}:)"
    metrics = (
        ("requests", "RequestCount", "Sum"),
        ("failed", "HTTPCode_Target_5XX_Count", "Sum"),
        ("unreachable", "TargetConnectionErrorCount", "Sum"),
        ("slow", "TargetResponseTime", slow),
    )
    queries = []
    for arm, slot, group in (
        ("baseline", target.baseline_slot, target.baseline_group),
        ("canary", target.canary_slot, target.canary_group),
    ):
        where = {"LoadBalancer": target.load_balancer, "TargetGroup": group}
        for name, metric, stat in metrics:
            queries.append((arm, name, _query(f"{arm}_{name}", _NAMESPACE, metric, stat, where, period)))
        where = {"Service": target.service, "Slot": slot}
        for number, counter in enumerate(target.counters):
            key = f"{arm}_counter_{number}"
            queries.append((arm, counter, _query(key, COUNTERS_NAMESPACE, counter, "Sum", where, period)))
    return queries


def _query(
    key: str, namespace: str, metric: str, stat: str, where: Mapping[str, str], period: int
) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in where.items()]
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": key, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}, "ReturnData": True}


def _arm(found: Mapping[str, Mapping[int, float]], at: int, target: MetricTarget, whole: Any) -> Arm:
    """Counts of one period; what an ALB does not report is zero, and no part exceeds the whole."""

    def count(name: str) -> float:
        return found[name].get(at, 0.0)

    requests = round(count("requests"))
    return Arm(
        requests=requests,
        errors=min(requests, round(count("failed") + count("unreachable"))),
        slow=min(requests, whole(count("slow"))),
        counters={name: min(requests, round(count(name))) for name in target.counters},
    )


def _heard(window: Window) -> bool:
    return bool(window.baseline.requests or window.canary.requests)
