"""What CloudWatch knows of the load balancer: counts by the minute that come late, and sometimes not at all.

It stands in for botocore's client, so that the real adapter (`CloudWatchWindows`) reads from it. What is reported
when: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
(counts of zero are not; requests that no target was chosen for are in no target group's count).
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer

MINUTE = 60
_ABOVE = re.compile(r"TC\((\d+(?:\.\d+)?):\)")
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
_COUNTS = {
    "RequestCount": "requests",
    "HTTPCode_Target_5XX_Count": "failed",
    "TargetConnectionErrorCount": "refused",
}


class Counts(msgspec.Struct):
    """What one target group did in one minute. `times` has seconds and how many answers took them."""

    requests: int = 0
    failed: int = 0
    # Requests that no target accepted: the load balancer answered 502.
    refused: int = 0
    times: dict[float, int] = {}


class Lateness(msgspec.Struct, frozen=True):
    """How long after a minute's end its numbers are there, in seconds: usually, and in a share of cases."""

    usual: tuple[float, float] = (10.0, 55.0)
    late_share: float = 0.02
    late: tuple[float, float] = (60.0, 240.0)
    lost_share: float = 0.001


ON_TIME = Lateness(usual=(0.0, 0.0), late_share=0.0, lost_share=0.0)


class Metrics:
    """Numbers by target group and minute."""

    def __init__(self, kernel: Kernel, balancer: LoadBalancer, lateness: Lateness | None = None) -> None:
        self._kernel, self._balancer = kernel, balancer
        self._lateness = lateness or Lateness()
        self._counts: dict[str, dict[int, Counts]] = defaultdict(dict)
        # Called before anybody reads, so that what was not counted yet is.
        self.before_read: Callable[[], None] = lambda: None

    def counts(self, group: str, minute: int) -> Counts:
        """The counts of a target group (by ARN) in a minute since the epoch, to be added to."""
        held = self._counts[group]
        if minute not in held:
            held[minute] = Counts()
        return held[minute]

    def known(self, group: str) -> Mapping[int, Counts]:
        """What was counted of a target group, by minute, whether or not it is reported yet."""
        self.before_read()
        return self._counts[group]

    def reported_at(self, group: str, minute: int) -> float:
        """When a minute's numbers are there, epoch seconds; infinite when they are lost.

        By a hash of the seed, not by a stream of chance: who looks, and when, moves nothing.
        """
        text = f"{self._kernel.seed}/{group}/{minute}".encode()
        drawn = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
        fate, place = (drawn >> 32) / 2**32, (drawn & 0xFFFFFFFF) / 2**32
        late = self._lateness
        if fate < late.lost_share:
            return float("inf")
        span = late.late if fate < late.lost_share + late.late_share else late.usual
        return (minute + 1) * MINUTE + span[0] + place * (span[1] - span[0])

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        """GetMetricData, for queries of single metrics in periods of whole minutes."""
        self.before_read()
        start, end = request["StartTime"].timestamp(), request["EndTime"].timestamp()
        results = []
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            found = self.series(stat["Metric"], stat["Stat"], int(stat["Period"]), start, end)
            results.append(
                {
                    "Id": query["Id"],
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at in found],
                    "Values": list(found.values()),
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results}

    def series(
        self, metric: Mapping[str, Any], stat: str, period: int, start: float, end: float
    ) -> dict[float, float]:
        """A statistic by the start of each period of [start, end) that has reported numbers, oldest first."""
        dimensions = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
        group = self._balancer.by_dimension.get(dimensions.get("TargetGroup", ""))
        if metric["Namespace"] != "AWS/ApplicationELB" or group is None:
            return {}
        made = {}
        for at in range(int(start) // period * period, int(end), period):
            minutes = [
                minute
                for minute in range(at // MINUTE, (at + period) // MINUTE)
                if self.reported_at(group, minute) <= self._kernel.now()
            ]
            value = self._value(group, metric["MetricName"], stat, minutes)
            if value is not None:
                made[float(at)] = value
        return made

    def _value(self, group: str, name: str, stat: str, minutes: list[int]) -> float | None:
        if name == "HealthyHostCount":
            return self._healthy(group, stat, minutes)
        rows = [self._counts[group][minute] for minute in minutes if minute in self._counts[group]]
        if field := _COUNTS.get(name):
            # No zeros are reported.
            return float(sum(getattr(row, field) for row in rows)) or None
        times: dict[float, int] = defaultdict(int)
        for row in rows:
            for seconds, count in row.times.items():
                times[seconds] += count
        return _of_times(times, stat) if times and name == "TargetResponseTime" else None

    def _healthy(self, group: str, stat: str, minutes: list[int]) -> float | None:
        """Healthy targets of a group that has any, at most or at least in those minutes."""
        found = self._balancer.groups[group]
        values = []
        for minute in minutes if found.in_use else ():
            start, end = minute * MINUTE, (minute + 1) * MINUTE
            at = max(0, bisect.bisect_right(found.history, (float(start), 1 << 30)) - 1)
            while at < len(found.history) and found.history[at][0] < end:
                if found.history[at][3]:
                    values.append(float(found.history[at][1]))
                at += 1
        return (min(values) if stat == "Minimum" else max(values)) if values else None


def _of_times(times: Mapping[float, int], stat: str) -> float:
    if match := _ABOVE.fullmatch(stat):
        return float(sum(count for seconds, count in times.items() if seconds > float(match[1])))
    match = _PERCENTILE.fullmatch(stat)
    if match is None:
        raise ValueError(f"the simulator does not know the statistic {stat}")
    wanted, seen = float(match[1]) / 100 * sum(times.values()), 0
    ordered = sorted(times.items())
    for seconds, count in ordered:
        seen += count
        if seen >= wanted:
            return seconds
    return ordered[-1][0]
