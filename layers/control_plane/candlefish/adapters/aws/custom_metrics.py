"""`analysis.ports.WindowSource` on CloudWatch: what a service reports there itself, as custom metrics.

By the same rules as the load balancer's metrics: sums of a period, which grow until everybody has reported. What is
otherwise: nobody promises that a service reports everything, so what is there in part is no window.
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
from candlefish.catalog.model import CUSTOM, CustomMetrics, fill
from candlefish.errors import Unavailable

_UNITS = {"seconds": 1.0, "milliseconds": 1000.0}

# By side, by what was asked for: values by the start of their period.
Found = Mapping[str, Mapping[str, Mapping[int, float]]]


class CustomMetricWindows:
    """Windows from the sums of two metrics, of all that was done and of what failed, of each of two versions.

    A version that reports what it did and not what failed of it has an unknown number of failures, not none: its
    window is waited for, and left out when nothing comes any more. So services publish zeros.
    """

    def __init__(self, client: Any) -> None:
        """`client` is botocore's for `cloudwatch`."""
        self._client = client

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """See the port. Windows lie on multiples of `target.window`, as CloudWatch's periods do."""
        starts = settled_periods(target, since, until)
        if not starts:
            return ()
        custom, places = _told(target)
        found = self._read(target, custom, places, starts)
        missing = () if target.requests_only else _absent(found, target, custom)
        windows: list[Window] = []
        for at in starts:
            end = at + starts.step
            growing = grows(target, end, until)
            if not target.requests_only and any(_half_told(found[side], at) for side in found):
                if growing:
                    break
                continue
            windows.append(
                Window(
                    start=float(at),
                    end=float(end),
                    baseline=_arm(found.get("baseline", {}), at, target, math.ceil),
                    canary=_arm(found.get("canary", {}), at, target, math.floor),
                    source=CUSTOM,
                    growing=growing,
                    absent=missing,
                )
            )
        return without_silence(windows, target, until)

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        """See the port. Percentiles of each hour of the past, of which the middle one counts; one GetMetricData."""
        first, last = math.floor(since / HOUR) * HOUR, math.ceil(until / 60) * 60
        custom, places = _told(target)
        where = places.get("baseline")
        if last <= first or where is None:
            return Survey()
        namespace = _namespace(custom, target)
        asked = {name: custom.called(name) for name in ("errors", *target.counters)}
        queries = [
            stat_query(f"there_{number}", namespace, metric, "SampleCount", where, HOUR)
            for number, metric in enumerate(asked.values())
        ]
        if custom.latency:
            queries += quantile_queries(namespace, custom.latency, where)
        values = read_metric_data(self._client, target, queries, first, last)
        each = _UNITS[custom.unit]
        quantiles = [value / each for value in quantiles_of(values)]
        reported = [name for number, name in enumerate(asked) if values.get(f"there_{number}")]
        return Survey(
            edges=edges_of_quantiles(quantiles, target.slow_over),
            reported=(*reported, *(("slow",) if quantiles else ())),
        )

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        """See the port. What services report says nothing of it."""
        return None

    def _read(
        self,
        target: MetricTarget,
        custom: CustomMetrics,
        places: Mapping[str, dict[str, str]],
        starts: range,
    ) -> Found:
        namespace, each = _namespace(custom, target), _UNITS[custom.unit]
        asked = [("requests", custom.requests, "Sum")]
        if not target.requests_only:
            asked += [(name, custom.called(name), "Sum") for name in ("errors", *target.counters)]
        if custom.latency and not target.requests_only:
            # Whether anything was told at all: how many were above says it of no window in which none was.
            asked += [("timed", custom.latency, "SampleCount")]
            asked += [
                (f"over:{edge:g}", custom.latency, f"TC({edge * each:g}:)")
                for edge in sorted({target.slow_over, *target.survey.edges})
            ]
        queries, ids = [], {}
        for side, where in places.items():
            for number, (name, metric, stat) in enumerate(asked):
                ids[f"{side}_{number}"] = (side, name)
                queries.append(stat_query(f"{side}_{number}", namespace, metric, stat, where, starts.step))
        values = read_metric_data(self._client, target, queries, starts.start, starts.stop)
        found: dict[str, dict[str, Mapping[int, float]]] = {side: {} for side in places}
        for key, (side, name) in ids.items():
            found[side][name] = values[key]
        return found


def _told(target: MetricTarget) -> tuple[CustomMetrics, dict[str, dict[str, str]]]:
    """What is asked for, and the dimensions of each side that is asked about.

    Raises
    ------
    Unavailable
        The policy does not say it, or the dimensions do not tell one version from the other.
    """
    custom = target.custom
    if custom is None:
        raise Unavailable(
            f"the judge policy of {target.service} does not name its custom metrics whole: write namespace, dimensions, "
            f"requests and errors under `sources: {CUSTOM}`"
        )
    sides = (
        ("baseline", target.baseline_group, target.baseline_slot),
        ("canary", target.canary_group, target.canary_slot),
    )
    places = {side: _dimensions(custom, target.filled_in(slot)) for side, group, slot in sides if group}
    if len(places) == 2 and places["baseline"] == places["canary"]:
        said = ", ".join(f"{name}={value}" for name, value in places["canary"].items()) or "none"
        raise Unavailable(
            f"both versions of {target.service} report under the same dimensions ({said}), as a release of a "
            f"configuration alone does by {{version}}: let one of them be {{slot}} under `sources: {CUSTOM}`, which Pods "
            "have in CANDLEFISH_SLOT"
        )
    return custom, places


def _dimensions(custom: CustomMetrics, names: Mapping[str, str]) -> dict[str, str]:
    return {name: fill(value, names) for name, value in custom.dimensions.items()}


def _namespace(custom: CustomMetrics, target: MetricTarget) -> str:
    return fill(custom.namespace, target.filled_in(target.canary_slot))


def _absent(found: Found, target: MetricTarget, custom: CustomMetrics) -> tuple[str, ...]:
    """Metrics that are asked for and of which neither side has any datapoint; failures are told with each window."""
    keys = {"slow": "timed"} if custom.latency else {}
    keys |= {name: name for name in target.counters}
    return tuple(name for name, key in keys.items() if not any(side.get(key) for side in found.values()))


def _half_told(side: Mapping[str, Mapping[int, float]], at: int) -> bool:
    """Whether a side has told only one of what it did and what of it failed."""
    return (at in side["requests"]) != (at in side["errors"])


def _arm(side: Mapping[str, Mapping[int, float]], at: int, target: MetricTarget, whole: Any) -> Arm:
    """Counts of one period; no part exceeds the whole."""

    def count(name: str) -> float:
        return side.get(name, {}).get(at, 0.0)

    requests = max(0, round(count("requests")))
    if target.requests_only:
        return Arm(requests)

    def part(value: float) -> int:
        return max(0, min(requests, round(value)))

    over = {edge: part(whole(count(f"over:{edge:g}"))) for edge in {target.slow_over, *target.survey.edges}}
    return Arm(
        requests=requests,
        errors=part(count("errors")),
        slow=over[target.slow_over],
        counters={name: part(count(name)) for name in target.counters},
        beside={f"over:{edge:g}": (requests, over[edge]) for edge in target.survey.edges},
    )
