"""What an Application Load Balancer reports to CloudWatch, made of the data plane's counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lab.moto import ACCOUNT, metrics

_NAMESPACE = "AWS/ApplicationELB"


def put_counts(report: dict[str, Any], regions: Mapping[str, str]) -> None:
    """Put a period's counts, and say that the period is complete.

    `regions` says where each load balancer is.
    """
    for row in report["groups"]:
        _put_requests(row, report["at"], regions)
    for row in report["hosts"]:
        _put(row, report["at"], regions, "HealthyHostCount", Value=row["healthy"])
        _put(row, report["at"], regions, "UnHealthyHostCount", Value=row["unhealthy"])
    for region in set(regions.values()):
        metrics.store(ACCOUNT, region).complete(_NAMESPACE, report["until"])


def _put_requests(row: dict[str, Any], at: float, regions: Mapping[str, str]) -> None:
    counts = row["counts"]
    _put(row, at, regions, "RequestCount", Value=counts["requests"])
    for kind, number in counts["by_class"].items():
        _put(row, at, regions, f"HTTPCode_Target_{kind}_Count", Value=number)
    _put(row, at, regions, "HTTPCode_ELB_5XX_Count", Value=counts["elb_5xx"])
    _put(row, at, regions, "TargetConnectionErrorCount", Value=counts["connection_errors"])
    if counts["times"]:
        times = sorted((float(seconds), number) for seconds, number in counts["times"].items())
        values, numbers = [t for t, _ in times], [n for _, n in times]
        _put(row, at, regions, "TargetResponseTime", Values=values, Counts=numbers)


def _put(row: dict[str, Any], at: float, regions: Mapping[str, str], name: str, **data: Any) -> None:
    """Report a metric under the load balancer, and under the load balancer and the group."""
    hosts = name.endswith("HostCount")
    if data.get("Value") == 0 and not hosts:
        # An ALB reports no zero counts.
        return
    balancer = {"Name": "LoadBalancer", "Value": row["balancer"]}
    group = {"Name": "TargetGroup", "Value": row["group"].rsplit(":", 1)[-1]}
    dimensions = [] if hosts else [[balancer]]
    if row["group"]:
        dimensions.append([group, balancer])
    store = metrics.store(ACCOUNT, regions.get(row["balancer"], "us-west-2"))
    for chosen in dimensions:
        datum = {"MetricName": name, "Dimensions": chosen, "Timestamp": at, **data}
        store.put(_NAMESPACE, datum, time.time())
