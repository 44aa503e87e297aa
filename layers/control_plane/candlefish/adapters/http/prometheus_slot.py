"""Reading one slot's counters from Prometheus: which queries are asked, and their answers on the grid of the edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from candlefish.adapters.http.prometheus_api import MOST_POINTS, PrometheusApi, Refused, Row, TooLarge
from candlefish.adapters.http.series import Process, Series, Table, Values, process_of, sample
from candlefish.analysis.model import MetricTarget
from candlefish.catalog.model import Queries

# How long Prometheus is asked what a series showed before it fell silent: an exporter that forgets what is idle brings
# it back with all that it ever counted.
MEMORY = "1h"
PER_UNIT = {"seconds": 1.0, "milliseconds": 1000.0}


class Slot(NamedTuple):
    """All counters of one slot. `over` are requests slower than so many seconds, by the seconds."""

    requests: Table
    errors: Table
    # Where the bounds of each histogram are known, by the labels of the histogram.
    buckets: list[dict[float, Series]]
    # Of histograms without bounds (native ones), by the seconds that were asked for.
    over: dict[float, list[Series]]
    counters: dict[str, Table]
    started: dict[Process, Values]
    # Whether the requests say how they were answered.
    coded: bool

    @property
    def timed(self) -> bool:
        """Whether there is a histogram of latency."""
        return bool(self.buckets or self.over)


def read_slot(
    api: PrometheusApi, target: MetricTarget, slot: str, edges: Sequence[float], thresholds: Sequence[float]
) -> Slot:
    """The counters of a slot at these times; `thresholds` in seconds, for histograms without bounds.

    Raises
    ------
    Unavailable
        Prometheus did not answer, or only in part.
    """
    queries = target.queries
    labels = queries.labels(target.namespace, target.service, slot)
    ask = _asker(api, edges, queries)
    requests = ask(f"{queries.requests}{{{labels}}}")
    nothing = Table([], [False] * len(edges))
    if target.requests_only or not requests.series:
        return Slot(requests, nothing, [], {}, dict.fromkeys(target.counters, nothing), {}, False)
    errors = ask(queries.failures(labels))
    buckets = _histograms(ask(f"{queries.latency}_bucket{{{labels}}}"), queries)
    coded = bool(errors.series) or (
        not queries.errors and any(queries.code in series.labels for series in requests.series)
    )
    return Slot(
        requests=requests,
        errors=errors,
        buckets=buckets,
        over={} if buckets else _native(api, edges, f"{queries.latency}{{{labels}}}", thresholds, queries),
        counters={name: ask(queries.looked_for(name, labels)) for name in target.counters},
        started=_starts(api, edges, queries, labels),
        coded=coded,
    )


def _asker(api: PrometheusApi, edges: Sequence[float], queries: Queries) -> Callable[[str], Table]:
    """Asks for raw series. Only where they are too many to be read, those alike in all labels that we use are summed:

    a series that vanishes within such a sum makes it fall, and a fall that is no restart counts as nothing.
    """
    used = [*queries.process, "le", queries.code, queries.place, queries.kind]
    by = ", ".join(dict.fromkeys(name for name in used if name))

    def ask(selector: str) -> Table:
        try:
            now = on_grid(api, selector, edges)
            before = api.rows(f"last_over_time({selector}[{MEMORY}])", edges[:1])
            return _table(now, before, edges)
        except TooLarge:
            return _table(on_grid(api, f"sum by ({by}) ({selector})", edges), [], edges)

    return ask


def on_grid(api: PrometheusApi, expression: str, edges: Sequence[float]) -> list[Row]:
    """Every series of an expression at the edges, piece by piece."""
    found: list[Row] = []
    for start in range(0, len(edges), MOST_POINTS):
        found += api.rows(expression, edges[start : start + MOST_POINTS])
    return found


def _table(now: Sequence[Row], before: Sequence[Row], edges: Sequence[float]) -> Table:
    found: dict[tuple[tuple[str, str], ...], Series] = {}
    odd = [False] * len(edges)
    earlier = {_identity(row.metric): sample(row.values[-1][1]) for row in before if row.values}
    for row in now:
        key = _identity(row.metric)
        if key not in found:
            found[key] = Series(dict(key), earlier.get(key), [None] * len(edges))
        place(row, edges, found[key].values, odd)
    # What is silent now may come back.
    for key, value in earlier.items():
        if key not in found:
            found[key] = Series(dict(key), value, [None] * len(edges))
    return Table(list(found.values()), odd)


def place(row: Row, edges: Sequence[float], values: Values, odd: list[bool] | None = None) -> None:
    """Put a row's samples where they belong; `odd` becomes true where one is no number."""
    step = edges[1] - edges[0] if len(edges) > 1 else 1.0
    for at, text in row.values:
        index = round((at - edges[0]) / step)
        if not 0 <= index < len(edges):
            continue
        value = sample(text)
        if value is not None:
            values[index] = value
        elif odd is not None:
            odd[index] = True


def _identity(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What tells a series from others. `le` may be spelt 2, 2.0 or 2e0, and differs when Prometheus is upgraded."""
    return tuple(
        sorted(
            (name, _bound(value) if name == "le" else value)
            for name, value in labels.items()
            if name != "__name__"
        )
    )


def _bound(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _histograms(table: Table, queries: Queries) -> list[dict[float, Series]]:
    """The bounds of each histogram, in seconds, each with its counter."""
    found: dict[tuple[tuple[str, str], ...], dict[float, Series]] = {}
    unit = PER_UNIT[queries.unit]
    for series in table.series:
        bound = sample(series.labels.get("le", "")) if series.labels.get("le") != "inf" else inf
        if bound is None:
            continue
        key = tuple(sorted(pair for pair in series.labels.items() if pair[0] != "le"))
        found.setdefault(key, {})[bound / unit] = series
    return [bounds for bounds in found.values() if inf in bounds]


def _native(
    api: PrometheusApi, edges: Sequence[float], selector: str, thresholds: Sequence[float], queries: Queries
) -> dict[float, list[Series]]:
    """Counters of what took longer than each threshold, in seconds, from native histograms; empty without any.

    A native histogram is a counter too: how many it counted, times the share above, is one for each threshold, and is
    subtracted like others. Within a bucket Prometheus interpolates, by a few percent at most.
    """
    unit = PER_UNIT[queries.unit]
    above = " or ".join(
        f"label_replace(histogram_count({selector}) * (1 - histogram_fraction(-Inf, {threshold * unit!r}, {selector})), "
        f'"le", "{threshold!r}", "", "")'
        for threshold in thresholds
    )
    if not above:
        return {}
    try:
        table = _table(on_grid(api, above, edges), [], edges)
    except Refused:
        # Older than native histograms, or made by others.
        return {}
    found: dict[float, list[Series]] = {}
    for series in table.series:
        if (threshold := sample(series.labels.get("le", ""))) is not None:
            found.setdefault(threshold, []).append(series)
    return found


def _starts(
    api: PrometheusApi, edges: Sequence[float], queries: Queries, labels: str
) -> dict[Process, Values]:
    """When each process started, at each edge; several of one Pod are told apart by nothing, and the latest counts."""
    if not queries.started:
        return {}
    found: dict[Process, Values] = {}
    for row in on_grid(api, f"{queries.started}{{{labels}}}", edges):
        values: Values = [None] * len(edges)
        place(row, edges, values)
        name = process_of(row.metric, queries.process)
        known = found.setdefault(name, [None] * len(edges))
        found[name] = [
            b if a is None or (b is not None and b > a) else a for a, b in zip(known, values, strict=True)
        ]
    return found
