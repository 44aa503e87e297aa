"""What CloudWatch knows of the load balancer: counts by the minute that come late, in parts, and sometimes not at all.

It stands in for botocore's client, so that the real adapter (`CloudWatchWindows`) reads from it. What is reported
when: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
(counts of zero are not; requests that no target was chosen for are in no target group's count; what the load balancer
answered itself is counted for all of it, by no target group). Each of its nodes reports a minute on its own, all counts
of it at once; a minute's sum grows until all have.
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
# Nodes of a load balancer: so many parts a minute's counts come in.
NODES = 3
# Under this name the load balancer's own counts are kept.
BALANCER = ""


class Counts(msgspec.Struct):
    """What one target group did in one minute. `times` has seconds and how many answers took them."""

    requests: int = 0
    # Answers of the target with 5xx, and with 4xx.
    failed: int = 0
    declined: int = 0
    # Requests that no target accepted (502), and that the one which did never answered (502 or 504).
    refused: int = 0
    unanswered: int = 0
    # Requests that no target was chosen for (503), of the whole load balancer.
    turned_away: int = 0
    times: dict[float, int] = {}

    @property
    def answered(self) -> int:
        """Answers of the target with 2xx."""
        return self.requests - self.failed - self.declined - self.refused - self.unanswered

    @property
    def own_errors(self) -> int:
        """What the load balancer answered itself with 5xx."""
        return self.refused + self.unanswered + self.turned_away


_COUNTS: dict[str, Callable[[Counts], int]] = {
    "RequestCount": lambda row: row.requests,
    "HTTPCode_Target_2XX_Count": lambda row: row.answered,
    "HTTPCode_Target_4XX_Count": lambda row: row.declined,
    "HTTPCode_Target_5XX_Count": lambda row: row.failed,
    "TargetConnectionErrorCount": lambda row: row.refused,
}
# Of the whole load balancer only.
_OWN = "HTTPCode_ELB_5XX_Count"


class Lateness(msgspec.Struct, frozen=True):
    """How long after a minute's end its numbers are there, in seconds: usually, and in a share of cases."""

    usual: tuple[float, float] = (10.0, 55.0)
    late_share: float = 0.02
    late: tuple[float, float] = (60.0, 240.0)
    lost_share: float = 0.001


ON_TIME = Lateness(usual=(0.0, 0.0), late_share=0.0, lost_share=0.0)


# A metric as GetMetricData names it, and the seconds [start, end): its sum, None where nothing was reported.
Custom = Callable[[Mapping[str, Any], float, float], float | None]


class Metrics:
    """Numbers by target group and minute."""

    def __init__(self, kernel: Kernel, balancer: LoadBalancer, lateness: Lateness | None = None) -> None:
        self._kernel, self._balancer = kernel, balancer
        self._lateness = lateness or Lateness()
        self._counts: dict[str, dict[int, Counts]] = defaultdict(dict)
        # What services report themselves.
        self.custom: Custom = lambda metric, start, end: None
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

    def reported_at(self, group: str, minute: int, node: int) -> float:
        """When a node's numbers of a minute are there, epoch seconds; infinite when they are lost.

        By a hash of the seed, not by a stream of chance: who looks, and when, moves nothing.
        """
        fate, late = self._drawn(f"{group}/{minute}"), self._lateness
        if fate < late.lost_share:
            return float("inf")
        span = late.late if fate < late.lost_share + late.late_share else late.usual
        place = self._drawn(f"{group}/{minute}/{node}")
        return (minute + 1) * MINUTE + span[0] + place * (span[1] - span[0])

    def _drawn(self, what: str) -> float:
        text = f"{self._kernel.seed}/{what}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big") / 2**32

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
        periods = range(int(start) // period * period, int(end), period)
        if metric["Namespace"] != "AWS/ApplicationELB":
            sums = {float(at): self.custom(metric, at, at + period) for at in periods}
            return {at: value for at, value in sums.items() if value is not None}
        dimensions = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
        group: str | None = BALANCER
        if "TargetGroup" in dimensions:
            group = self._balancer.by_dimension.get(dimensions["TargetGroup"])
        if group is None:
            return {}
        made = {}
        for at in periods:
            value = self._value(
                group, metric["MetricName"], stat, range(at // MINUTE, (at + period) // MINUTE)
            )
            if value is not None:
                made[float(at)] = value
        return made

    def _value(self, group: str, name: str, stat: str, minutes: range) -> float | None:
        if name == "HealthyHostCount":
            return self._healthy(group, stat, [m for m in minutes if self._nodes(group, m)])
        if group == BALANCER:
            # No zeros are reported.
            return float(self._own_errors(minutes)) or None if name == _OWN else None
        rows = [(row, self._nodes(group, m)) for m in minutes if (row := self._counts[group].get(m))]
        if count := _COUNTS.get(name):
            return float(sum(_of_nodes(count(row), nodes) for row, nodes in rows)) or None
        times: dict[float, int] = defaultdict(int)
        for row, nodes in rows:
            for seconds, number in row.times.items():
                times[seconds] += _of_nodes(number, nodes)
        heard = {seconds: number for seconds, number in times.items() if number}
        return _of_times(heard, stat) if heard and name == "TargetResponseTime" else None

    def _own_errors(self, minutes: range) -> int:
        return sum(
            _of_nodes(row.own_errors, self._nodes(BALANCER, minute))
            for minute in minutes
            for by_minute in list(self._counts.values())
            if (row := by_minute.get(minute))
        )

    def _nodes(self, group: str, minute: int) -> list[int]:
        """The nodes that have reported a minute."""
        now = self._kernel.now()
        return [node for node in range(NODES) if self.reported_at(group, minute, node) <= now]

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


def _of_nodes(count: int, nodes: list[int]) -> int:
    """The part of a count that these nodes saw: all of it, if they are all."""
    return sum(count // NODES + (node < count % NODES) for node in nodes)


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
