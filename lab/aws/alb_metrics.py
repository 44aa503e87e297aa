"""What an Application Load Balancer reports to CloudWatch, made of the data plane's counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from lab.moto import ACCOUNT, metrics

_NAMESPACE = "AWS/ApplicationELB"


def put_counts(report: dict[str, Any], regions: Mapping[str, str], node: int = 0, nodes: int = 1) -> None:
    """Put what one of a load balancer's nodes counted in a period; the first says that its time has come.

    A period's sums grow until all nodes have reported. `regions` says where each load balancer is.
    """
    for row in report["groups"]:
        _put_requests(row, report["at"], regions, lambda count: count // nodes + (node < count % nodes))
    if node:
        return
    for row in report["hosts"]:
        _put(row, report["at"], regions, "HealthyHostCount", Value=row["healthy"])
        _put(row, report["at"], regions, "UnHealthyHostCount", Value=row["unhealthy"])
    for region in set(regions.values()):
        metrics.store(ACCOUNT, region).report(_NAMESPACE, report["until"])


def _put_requests(
    row: dict[str, Any], at: float, regions: Mapping[str, str], part: Callable[[int], int]
) -> None:
    counts = row["counts"]
    _put(row, at, regions, "RequestCount", Value=part(counts["requests"]))
    for kind, number in counts["by_class"].items():
        _put(row, at, regions, f"HTTPCode_Target_{kind}_Count", Value=part(number))
    for status, number in counts["own"].items():
        _put(row, at, regions, f"HTTPCode_ELB_{status}_Count", Value=part(number))
        _put(row, at, regions, "HTTPCode_ELB_5XX_Count", Value=part(number))
    _put(row, at, regions, "TargetConnectionErrorCount", Value=part(counts["connection_errors"]))
    times = sorted((float(seconds), part(number)) for seconds, number in counts["times"].items())
    if heard := [(seconds, number) for seconds, number in times if number]:
        values, numbers = [t for t, _ in heard], [n for _, n in heard]
        _put(row, at, regions, "TargetResponseTime", Values=values, Counts=numbers)


def _put(row: dict[str, Any], at: float, regions: Mapping[str, str], name: str, **data: Any) -> None:
    """Report a metric under the load balancer, and under the load balancer and the group.

    Its own answers are the load balancer's alone; hosts are the group's.
    """
    hosts = name.endswith("HostCount")
    if data.get("Value") == 0 and not hosts:
        # An ALB reports no zero counts.
        return
    balancer = {"Name": "LoadBalancer", "Value": row["balancer"]}
    group = {"Name": "TargetGroup", "Value": row["group"].rsplit(":", 1)[-1]}
    dimensions = [] if hosts else [[balancer]]
    if row["group"] and not name.startswith("HTTPCode_ELB_"):
        dimensions.append([group, balancer])
    store = metrics.store(ACCOUNT, regions.get(row["balancer"], "us-west-2"))
    for chosen in dimensions:
        datum = {"MetricName": name, "Dimensions": chosen, "Timestamp": at, **data}
        store.put(_NAMESPACE, datum, time.time())
