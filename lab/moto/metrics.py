"""CloudWatch metrics: an indexed store in the place of moto's list.

Adds what moto lacks and the judge needs: percentiles, periods of less than a minute, metric math
(arithmetic, FILL, IF, METRICS-free), and answers in milliseconds however much was reported.
Statistics follow https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import bisect
import math
import re
import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from moto.cloudwatch import models
from moto.cloudwatch.exceptions import ValidationError

from lab.alarms import metric_math
from lab.moto import replace

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
# Trimmed count over values: how many were above the lower bound, up to and with the upper one.
_TRIMMED_COUNT = re.compile(r"TC\((\d+(?:\.\d+)?)?:(\d+(?:\.\d+)?)?\)")
# Points older than this are forgotten; the lab's judgements look back minutes.
_KEEP_SECONDS = 6 * 3600.0

Key = tuple[str, str, frozenset[tuple[str, str]]]


class Point(msgspec.Struct, frozen=True):
    """What was reported at one moment: a set of values, each with how often it occurred."""

    at: float
    values: tuple[float, ...]
    counts: tuple[float, ...]
    # Of a reported statistic set the values in between are unknown.
    total: float
    samples: float
    low: float
    high: float


class Metrics:
    """All metrics of one account and region. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Key, list[Point]] = defaultdict(list)
        self._reported: dict[str, float] = {}

    def report(self, namespace: str, until: float) -> None:
        """Whoever reports this namespace has begun to report what was counted until then, epoch seconds."""
        with self._lock:
            self._reported[namespace] = max(until, self._reported.get(namespace, until))

    def reported(self, namespaces: Iterable[str], now: float) -> float:
        """Until when these namespaces are being reported: `now` where nobody says."""
        with self._lock:
            return min([now, *(self._reported[name] for name in namespaces if name in self._reported)])

    def put(self, namespace: str, datum: dict[str, Any], now: float) -> None:
        """Store one MetricDatum of PutMetricData."""
        point = _point(datum, now)
        with self._lock:
            series = self._series[_key(namespace, datum["MetricName"], datum.get("Dimensions") or ())]
            bisect.insort(series, point, key=lambda known: known.at)
            if series[0].at < now - _KEEP_SECONDS:
                del series[: bisect.bisect_left(series, now - _KEEP_SECONDS, key=lambda known: known.at)]

    def read(self, key: Key, start: float, end: float, period: float, stat: str) -> list[tuple[float, float]]:
        """(start of period, statistic) for each period that has data, oldest first."""
        with self._lock:
            series = self._series.get(key, [])
            first = bisect.bisect_left(series, start, key=lambda point: point.at)
            last = bisect.bisect_left(series, end, key=lambda point: point.at)
            points = series[first:last]
        periods: dict[float, list[Point]] = defaultdict(list)
        for point in points:
            periods[math.floor(point.at / period) * period].append(point)
        return [(at, statistic(stat, within)) for at, within in sorted(periods.items())]

    def known(self) -> Iterable[Key]:
        """Every metric that was ever reported."""
        with self._lock:
            return list(self._series)


def statistic(stat: str, points: list[Point]) -> float:
    """One statistic over points; `stat` is a CloudWatch name or a percentile such as `p95`."""
    samples = sum(point.samples for point in points)
    total = sum(point.total for point in points)
    if stat == "SampleCount":
        return samples
    if stat == "Sum":
        return total
    if stat == "Average":
        return total / samples if samples else 0.0
    if stat in ("Minimum", "Maximum"):
        return (
            min(point.low for point in points) if stat == "Minimum" else max(point.high for point in points)
        )
    if trimmed := _TRIMMED_COUNT.fullmatch(stat):
        above, upto = float(trimmed.group(1) or "-inf"), float(trimmed.group(2) or "inf")
        pairs = [pair for point in points for pair in zip(point.values, point.counts, strict=True)]
        return sum(count for value, count in pairs if above < value <= upto)
    match = _PERCENTILE.fullmatch(stat)
    if match is None:
        raise ValueError(f"the lab does not know the statistic {stat}")
    weighed = sorted(
        (value, count) for point in points for value, count in zip(point.values, point.counts, strict=True)
    )
    wanted = float(match.group(1)) / 100 * sum(count for _, count in weighed)
    seen = 0.0
    for value, count in weighed:
        seen += count
        if seen >= wanted:
            return value
    return weighed[-1][0] if weighed else 0.0


def metric_data(
    store: Metrics, queries: list[dict[str, Any]], start: float, end: float, descending: bool
) -> list[dict[str, Any]]:
    """Answer the queries of GetMetricData."""
    series: dict[str, dict[float, float]] = {}
    periods: dict[str, float] = {}
    pending = list(queries)
    while pending:
        ready = [query for query in pending if _names(query) <= series.keys()]
        if not ready:
            missing = ", ".join(query["Id"] for query in pending)
            raise ValidationError(f"the queries {missing} name metrics that are not in the request")
        for query in ready:
            periods[query["Id"]] = _period(query, periods)
            series[query["Id"]] = _values(store, query, periods[query["Id"]], series, start, end)
            pending.remove(query)
    return [
        _result(query, series[query["Id"]], descending)
        for query in queries
        if query.get("ReturnData") not in (False, "false")
    ]


def _names(query: dict[str, Any]) -> frozenset[str]:
    """The queries that a query is computed from."""
    return frozenset() if query.get("MetricStat") else frozenset(metric_math.names(query["Expression"]))


def _period(query: dict[str, Any], periods: dict[str, float]) -> float:
    if stat := query.get("MetricStat"):
        return float(stat["Period"])
    return max((periods[name] for name in _names(query)), default=float(query.get("Period") or 60))


def _values(
    store: Metrics,
    query: dict[str, Any],
    period: float,
    series: dict[str, dict[float, float]],
    start: float,
    end: float,
) -> dict[float, float]:
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        key = _key(metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or ())
        begin = math.floor(start / period) * period
        return dict(store.read(key, begin, end, period, stat["Stat"]))
    begin = math.ceil(start / period) * period
    steps = range(int(max(0.0, end - begin) / period) + 1)
    moments = [begin + period * step for step in steps if begin + period * step < end]
    return metric_math.evaluate(query["Expression"], series, moments)


def _result(query: dict[str, Any], series: dict[float, float], descending: bool) -> dict[str, Any]:
    found = sorted(series.items(), reverse=descending)
    metric = query.get("MetricStat", {}).get("Metric", {})
    return {
        "id": query["Id"],
        "label": query.get("Label") or metric.get("MetricName", query["Id"]),
        "timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in found],
        "values": [value for _, value in found],
        "status_code": "Complete",
    }


def _key(namespace: str, name: str, dimensions: Iterable[Any]) -> Key:
    return namespace, name, frozenset((pair["Name"], pair["Value"]) for pair in dimensions)


def _point(datum: dict[str, Any], now: float) -> Point:
    moment = datum.get("Timestamp")
    at = now if moment is None else _epoch(moment)
    if stats := datum.get("StatisticValues"):
        total, samples = float(stats["Sum"]), float(stats["SampleCount"])
        low, high = float(stats["Minimum"]), float(stats["Maximum"])
        values: tuple[float, ...] = (total / samples if samples else 0.0,)
        return Point(at, values, (samples,), total, samples, low, high)
    values = tuple(float(value) for value in datum.get("Values") or [datum.get("Value", 0)])
    counts = tuple(float(count) for count in datum.get("Counts") or [1] * len(values))
    total = sum(value * count for value, count in zip(values, counts, strict=True))
    return Point(at, values, counts, total, sum(counts), min(values), max(values))


def _epoch(moment: Any) -> float:
    if isinstance(moment, (int, float)):
        return float(moment)
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    # moto hands out naive datetimes in UTC.
    aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()


_stores: dict[tuple[str, str], Metrics] = defaultdict(Metrics)


def store(account: str, region: str) -> Metrics:
    """The metrics of an account and region."""
    return _stores[account, region]


def reset() -> None:
    """Forget every metric."""
    _stores.clear()


def install() -> None:
    """Put the indexed store in the place of moto's."""
    replace(models.CloudWatchBackend, "put_metric_data", _put_metric_data)
    replace(models.CloudWatchBackend, "get_metric_data", _get_metric_data)
    replace(models.CloudWatchBackend, "get_metric_statistics", _get_metric_statistics)
    replace(models.CloudWatchBackend, "get_all_metrics", _get_all_metrics)


def _store_of(backend: Any) -> Metrics:
    return store(backend.account_id, backend.region_name)


def _put_metric_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    for at, datum in enumerate(metric_data, start=1):
        backend._validate_parameters_put_metric_data(datum, at)
    now = datetime.now(UTC).timestamp()
    for datum in metric_data:
        _store_of(backend).put(namespace, datum, now)


def _get_metric_data(
    backend: Any, queries: list[dict[str, Any]], start_time: Any, end_time: Any, scan_by: str = ""
) -> list[dict[str, Any]]:
    start, end = _epoch(start_time), _epoch(end_time)
    if start >= end:
        raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
    return metric_data(_store_of(backend), queries, start, end, scan_by != "TimestampAscending")


def _get_metric_statistics(
    backend: Any,
    namespace: str,
    metric_name: str,
    start_time: Any,
    end_time: Any,
    period: int,
    stats: list[str],
    dimensions: list[dict[str, str]],
    unit: str | None = None,
) -> list[Any]:
    key = _key(namespace, metric_name, dimensions or ())
    start, end = _epoch(start_time), _epoch(end_time)
    rows: dict[float, Any] = {}
    for stat in stats:
        for at, value in _store_of(backend).read(key, start, end, float(period), stat):
            empty = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": unit or "None"}
            rows.setdefault(at, empty)[stat] = value
    return [rows[at] for at in sorted(rows)]


def _get_all_metrics(backend: Any) -> list[Any]:
    known = [
        models.MetricDatum(
            namespace, name, 0.0, [{"Name": n, "Value": v} for n, v in sorted(dimensions)], None
        )
        for namespace, name, dimensions in _store_of(backend).known()
    ]
    return [*known, *backend.aws_metric_data]


def recent(
    store: Metrics, key: Key, stat: str, period: float, now: float, periods: int
) -> list[float | None]:
    """The last complete periods of a metric, oldest first; None where nothing was reported."""
    first, end = _last(now, period, periods)
    return _by_number(store.read(key, first * period, end * period, period, stat), period, first, end)


def recent_math(
    store: Metrics, queries: list[dict[str, Any]], period: float, now: float, periods: int
) -> list[float | None]:
    """The same of what the first of some queries returns."""
    first, end = _last(now, period, periods)
    result = metric_data(store, queries, first * period, end * period, descending=False)[0]
    times = [at.timestamp() for at in result["timestamps"]]
    return _by_number(zip(times, result["values"], strict=True), period, first, end)


def _last(now: float, period: float, periods: int) -> tuple[int, int]:
    end = math.floor(now / period)
    return end - periods, end


def _by_number(
    found: Iterable[tuple[float, float]], period: float, first: int, end: int
) -> list[float | None]:
    """By the numbers of the periods: the same moment, reached by another sum of fractions, is another float."""
    values = {round(at / period): value for at, value in found}
    return [values.get(number) for number in range(first, end)]
