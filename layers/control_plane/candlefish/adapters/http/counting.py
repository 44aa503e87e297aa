"""From a slot's counters to what it did in each window. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, inf
from typing import NamedTuple

from candlefish.adapters.http.prometheus_slot import Slot
from candlefish.adapters.http.series import Facts, Process, Series, Values, events_grown, requests_grown
from candlefish.analysis.model import Arm, MetricTarget

_TINY = 1e-6
Sums = list[float]


class Grown(NamedTuple):
    """What is needed to subtract: facts of the processes, and when somebody looked."""

    known: Mapping[Process, Facts]
    seen: Sequence[bool]
    process: Sequence[str]

    def requests(self, series: Iterable[Series]) -> Sums:
        """Requests by edge, over series."""
        return self._sum(requests_grown(one, self.process, self.known, self.seen) for one in series)

    def events(self, series: Iterable[Series]) -> Sums:
        """Events by edge, over series."""
        return self._sum(events_grown(one, self.process, self.known, self.seen) for one in series)

    def _sum(self, each: Iterable[Sequence[float]]) -> Sums:
        return [sum(at) for at in zip([0.0] * len(self.seen), *each, strict=True)]


def arms(slot: Slot, grown: Grown, target: MetricTarget, *, cautious: bool) -> list[Arm]:
    """What a slot did up to each edge since the one before; the first is empty.

    `cautious` rounds in the slot's favour: the canary's numbers down, the baseline's up.
    """
    survey, queries = target.survey, target.queries
    whole = _down if cautious else _up
    requests = [round(n) for n in grown.requests(slot.requests.series)]
    errors = [round(n) for n in grown.events(slot.errors.series)]
    over = {edge: grown.events(slower(slot, edge, cautious)) for edge in {target.slow_over, *survey.edges}}
    counters = {name: grown.events(table.series) for name, table in slot.counters.items()}
    places = {
        name: (grown.requests(_with(slot.requests.series, queries.place, (name,))),
               grown.events(_with(slot.errors.series, queries.place, (name,))))
        for name in (survey.places if queries.place else ())
    }  # fmt: skip
    new: Sums | None = None
    if queries.kind and survey.reported:
        old = set(survey.kinds)
        new = grown.events(s for s in slot.errors.series if s.labels.get(queries.kind, "") not in old)

    def beside(index: int) -> dict[str, tuple[int, int]]:
        n = requests[index]
        found = {
            f"over:{edge:g}": (n, min(n, whole(over[edge][index]))) for edge in survey.edges if slot.timed
        }
        for name, (all_of, bad) in places.items():
            there = round(all_of[index])
            found[f"at:{name}"] = (there, min(there, round(bad[index])))
        if new is not None:
            found["kind:new"] = (n, min(n, round(new[index])))
        return found

    return [
        Arm(
            requests=requests[index],
            errors=min(requests[index], errors[index]),
            slow=min(requests[index], whole(over[target.slow_over][index])),
            counters={name: min(requests[index], round(rows[index])) for name, rows in counters.items()},
            beside=beside(index),
        )
        for index in range(len(grown.seen))
    ]


def slower(slot: Slot, threshold: float, cautious: bool) -> list[Series]:
    """Counters of what took longer than so many seconds, one for each histogram.

    Exact where a bucket ends there. Otherwise the next bound above counts for the canary and the next below for the
    baseline. Where one of the two samples is none, so is the difference.
    """
    return [
        Series(bounds[inf].labels, _less(bounds[inf].before, below.before), _differences(bounds[inf], below))
        if (below := bounds.get(_bound_for(bounds, threshold, cautious)))
        else bounds[inf]
        for bounds in slot.buckets
    ] + slot.over.get(threshold, [])


def absent(slots: Sequence[Slot], target: MetricTarget) -> tuple[str, ...]:
    """Metrics of which neither slot has any series, where there are requests."""
    if target.requests_only or not any(slot.requests.series for slot in slots):
        return ()
    missing = [] if any(slot.coded for slot in slots) else ["errors"]
    missing += [] if any(slot.timed for slot in slots) else ["slow"]
    return (*missing, *(name for name in target.counters if not any(s.counters[name].series for s in slots)))


def _bound_for(bounds: Mapping[float, Series], threshold: float, cautious: bool) -> float:
    """The bound that accuses nobody; below all of them there is none (-inf)."""
    if threshold in bounds:
        return threshold
    if cautious:
        return min(bound for bound in bounds if bound > threshold)
    return max((bound for bound in bounds if bound < threshold), default=-inf)


def _differences(all_of: Series, below: Series) -> Values:
    return [_less(a, b) for a, b in zip(all_of.values, below.values, strict=True)]


def _less(all_of: float | None, below: float | None) -> float | None:
    return None if all_of is None or below is None else max(0.0, all_of - below)


def _with(series: Iterable[Series], label: str, values: Sequence[str]) -> list[Series]:
    return [one for one in series if one.labels.get(label) in values]


def _down(value: float) -> int:
    return floor(value + _TINY)


def _up(value: float) -> int:
    return ceil(value - _TINY)
