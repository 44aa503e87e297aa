"""`analysis.ports.WindowSource` on Prometheus: self-hosted, or Amazon Managed Service for Prometheus.

Counters are read raw, series by series, at the edges of the windows, and subtracted here (`series`): `increase()`
extrapolates and misses the first error of a process, a sum hides which of its parts fell, and a judge needs counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from candlefish.adapters.http.counting import Grown, absent, arms
from candlefish.adapters.http.prometheus_api import Authorize, Headers, PrometheusApi, Signer
from candlefish.adapters.http.prometheus_slot import PER_UNIT, Slot, read_slot
from candlefish.adapters.http.saturation import Use, read_use
from candlefish.adapters.http.series import processes, sample, seen_edges
from candlefish.analysis.edges import QUANTILES, edges_of_buckets, edges_of_quantiles, top_places
from candlefish.analysis.model import Arm, MetricTarget, Survey, Window

# Windows that are read at once at most.
_MOST_WINDOWS = 10_000
# A survey looks at so many stretches of the past.
_STRETCHES = 36


class PrometheusWindows:
    """Windows from request counters and latency histograms, scraped from the Pods of both slots, or from proxies.

    What the service reports with stands in `target.queries`. Slow requests are exact when a bucket ends at the budget.
    Otherwise the next bound above counts for the canary and the next below for the baseline, so that rounding accuses
    nobody; native histograms are rounded down for the canary and up for the baseline.
    """

    def __init__(
        self,
        url: str,
        headers: Headers | None = None,
        sign: Signer | None = None,
        authorize: Authorize | None = None,
        timeout: float = 8.0,
    ) -> None:
        """`url` is the server's, or the AMP workspace's, without `/api/v1`."""
        self._api = PrometheusApi(url, headers, sign, authorize, timeout)

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """See the port. A window that Prometheus itself was not there for is left out."""
        step = float(target.window)
        first = math.ceil(since / step) * step
        number_of = min(math.floor((until - target.settle - first) / step + 1e-9), _MOST_WINDOWS)
        if number_of <= 0:
            return ()
        edges = [first + step * index for index in range(number_of + 1)]
        names = [target.baseline_slot, target.canary_slot]
        if target.baseline_group and not target.canary_group:
            # What served before the release is asked about the old version alone.
            names = names[:1]
        slots = [self._read(target, name, edges) for name in names]
        grown = _grown(slots, target, edges)
        counted = [arms(slot, grown, target, cautious=index == 1) for index, slot in enumerate(slots)]
        use = {} if target.requests_only else read_use(self._api, target, names, edges)
        counted = [_pressed(arm, use.get(name)) for name, arm in zip(names, counted, strict=True)]
        if len(counted) == 1:
            counted.append([Arm(0)] * len(edges))
        missing = absent(slots, target)
        return [
            Window(
                edges[index - 1],
                edges[index],
                counted[0][index],
                counted[1][index],
                source="prometheus",
                absent=missing,
            )
            for index in range(1, len(edges))
            if grown.seen[index - 1] and grown.seen[index]
        ]

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        """See the port. Edges are bounds of the service's own buckets."""
        stretch = max(target.window, (until - since) / _STRETCHES)
        edges = [until - stretch * index for index in range(math.floor((until - since) / stretch), -1, -1)]
        if len(edges) < 2:
            return Survey()
        slot = self._read(target, target.baseline_slot, edges)
        grown = _grown([slot], target, edges)
        missing = absent([slot], target) if slot.requests.series else ("errors", "slow", *target.counters)
        pods = read_use(self._api, target, [target.baseline_slot], edges).get(target.baseline_slot)
        use = pods.beside if pods else []
        queries = target.queries
        served: dict[str, float] = defaultdict(float)
        for series in slot.requests.series if queries.place else ():
            served[series.labels.get(queries.place, "")] += sum(grown.requests([series]))
        kinds = (
            {series.labels.get(queries.kind, "") for series in slot.errors.series} if queries.kind else set()
        )
        return Survey(
            edges=self._edges(slot, grown, target, stretch * (len(edges) - 1), until),
            places=top_places(served),
            kinds=tuple(sorted(kinds)),
            reported=tuple(name for name in ("errors", "slow", *target.counters) if name not in missing),
            uses=tuple(sorted({name for told in use for name in told})),
        )

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        """See the port. What Pods report says nothing of it."""
        return None

    def _read(self, target: MetricTarget, slot: str, edges: Sequence[float]) -> Slot:
        return read_slot(self._api, target, slot, edges, sorted({target.slow_over, *target.survey.edges}))

    def _edges(
        self, slot: Slot, grown: Grown, target: MetricTarget, span: float, until: float
    ) -> tuple[float, ...]:
        upto: dict[float, float] = defaultdict(float)
        for bounds in slot.buckets:
            for bound, series in bounds.items():
                if math.isfinite(bound):
                    upto[bound] += sum(grown.events([series]))
        if upto or not slot.timed:
            return edges_of_buckets(upto, target.slow_over)
        queries = target.queries
        labels = queries.labels(target.namespace, target.service, target.baseline_slot)
        grew = f"sum(increase({queries.latency}{{{labels}}}[{math.ceil(span)}s]))"
        found = []
        for quantile in QUANTILES:
            for row in self._api.rows(f"histogram_quantile({quantile}, {grew})", [until]):
                found += [sample(text) for _, text in row.values]
        return edges_of_quantiles(
            [one / PER_UNIT[queries.unit] for one in found if one is not None], target.slow_over
        )


def _pressed(counted: list[Arm], use: Use | None) -> list[Arm]:
    """What a slot did, with how hard its Pods were pressed."""
    if use is None:
        return counted
    return [
        msgspec.structs.replace(arm, beside={**arm.beside, **beside}, memory=memory)
        for arm, beside, memory in zip(counted, use.beside, use.memory, strict=True)
    ]


def _grown(slots: Sequence[Slot], target: MetricTarget, edges: Sequence[float]) -> Grown:
    seen = seen_edges([slot.requests for slot in slots], len(edges))
    rows = [series for slot in slots for series in slot.requests.series]
    started = {name: values for slot in slots for name, values in slot.started.items()}
    process = target.queries.process
    return Grown(processes(rows, seen, edges, process, started), seen, process)
