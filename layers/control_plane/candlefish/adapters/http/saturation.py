"""How hard a slot's Pods are pressed: CPU cut short, restarts, OOM kills, memory; from cAdvisor and kube-state-metrics.

Everything is asked in one query for both slots, by namespace and Pod name, and is told only where such series exist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from candlefish.adapters.http.prometheus_api import PrometheusApi, Refused, TooLarge
from candlefish.adapters.http.prometheus_slot import on_grid, place
from candlefish.adapters.http.series import Values
from candlefish.analysis.model import MetricTarget

_PERIODS, _THROTTLED = "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"
_RESTARTS = "kube_pod_container_status_restarts_total"
# Why the container's life before this one ended; it stays until the next end.
_ENDED = "kube_pod_container_status_last_terminated_reason"
_USED, _LIMIT = "container_memory_working_set_bytes", "kube_pod_container_resource_limits"
_NAMES = (_PERIODS, _THROTTLED, _RESTARTS, _ENDED, _USED, _LIMIT)

Container = tuple[str, str]
Beside = dict[str, tuple[int, int]]


class Use(NamedTuple):
    """What is told of a slot at each edge: streams for `Arm.beside`, and memory used and allowed, bytes."""

    beside: list[Beside]
    memory: list[tuple[int, int]]


def read_use(
    api: PrometheusApi, target: MetricTarget, slots: Sequence[str], edges: Sequence[float]
) -> dict[str, Use]:
    """By slot; empty where nobody measures Pods.

    Raises
    ------
    Unavailable
        Prometheus did not answer, or only in part.
    """
    pods = f"{target.service}-({'|'.join(slots)})-[a-z0-9]+-[a-z0-9]+"
    selector = f'{{__name__=~"{"|".join(_NAMES)}",namespace="{target.namespace}",pod=~"{pods}"}}'
    try:
        rows = on_grid(api, selector, edges)
    except (Refused, TooLarge):
        # They are an addition: the requests are what is judged.
        return {}
    found: dict[str, dict[str, list[tuple[Container, Values]]]] = {slot: defaultdict(list) for slot in slots}
    for row in rows:
        name, pod, container = (row.metric.get(label, "") for label in ("__name__", "pod", "container"))
        wanted = (
            row.metric.get("reason", "OOMKilled") == "OOMKilled"
            and row.metric.get("resource", "memory") == "memory"
        )
        # A Pod as a whole, and the one that only holds its network, are no containers.
        if name not in _NAMES or container in ("", "POD") or not wanted:
            continue
        values: Values = [None] * len(edges)
        place(row, edges, values)
        slot = next((each for each in slots if pod.startswith(f"{target.service}-{each}-")), None)
        if slot:
            found[slot][name].append(((pod, container), values))
    length = edges[1] - edges[0]
    return {slot: _told(metrics, len(edges), length) for slot, metrics in found.items() if metrics}


def _told(metrics: Mapping[str, list[tuple[Container, Values]]], edges: int, length: float) -> Use:
    beside: list[Beside] = [{} for _ in range(edges)]
    if metrics.get(_PERIODS):
        periods, cut = _summed(metrics[_PERIODS], edges), _summed(metrics.get(_THROTTLED, []), edges)
        for index in range(edges):
            beside[index]["use:throttled"] = (round(periods[index]), round(min(periods[index], cut[index])))
    if restarts := metrics.get(_RESTARTS):
        killed = dict(metrics.get(_ENDED, []))
        again = _summed(restarts, edges)
        by_memory = _summed([each for each in restarts if each[0] in killed], edges, killed)
        for index in range(edges):
            there = len({who[0] for who, values in restarts if values[index] is not None})
            exposed = round(there * length)
            beside[index]["use:restarts"] = (exposed, min(exposed, round(again[index])))
            beside[index]["use:oom"] = (exposed, min(exposed, round(by_memory[index])))
    return Use(beside, _memory(metrics, edges))


def _summed(
    rows: Sequence[tuple[Container, Values]], edges: int, only: Mapping[Container, Values] | None = None
) -> list[float]:
    """By how much counters grew up to each edge; what is new or fell counts from there, so that nobody is accused.

    `only`: what grew counts where this is 1 for the container.
    """
    total = [0.0] * edges
    for who, values in rows:
        last: float | None = None
        for index, value in enumerate(values):
            if value is None:
                continue
            if last is not None and value > last and (only is None or only[who][index]):
                total[index] += value - last
            last = value
    return total


def _memory(metrics: Mapping[str, list[tuple[Container, Values]]], edges: int) -> list[tuple[int, int]]:
    """Used and allowed of the container that is nearest to its limit, at each edge; zeros where none is known."""
    limits, nothing = dict(metrics.get(_LIMIT, [])), [None] * edges
    found = [(0, 0)] * edges
    for index in range(edges):
        pairs = [
            (used, limit)
            for who, values in metrics.get(_USED, [])
            if (used := values[index]) is not None and (limit := limits.get(who, nothing)[index])
        ]
        if pairs:
            used, limit = max(pairs, key=lambda pair: pair[0] / pair[1])
            found[index] = (round(used), round(limit))
    return found
