"""One GetMetricData, all pages of it: what CloudWatch says of some metrics, by the start of each period.

It is billed by the metrics that it asks for, so nothing is asked for that a look does not need.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.analysis.model import MetricTarget
from candlefish.errors import Misconfigured, Throttled, Unavailable

# Data is late for longer than `settle` once in a while: silence on both sides is believed this many times later,
# and this many times later nothing grows any more.
SILENCE = 3.0
FINAL = 5.0
_PAGES = 50


def stat_query(
    key: str, namespace: str, metric: str, stat: str, where: Mapping[str, str], period: int
) -> dict[str, Any]:
    """A MetricDataQuery of one statistic, by the metric's dimensions (`where`), in periods of so many seconds."""
    dimensions = [{"Name": name, "Value": value} for name, value in where.items()]
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": key, "MetricStat": {"Metric": named, "Period": period, "Stat": stat}, "ReturnData": True}


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
