"""Counters subtracted series by series: what happened between one edge of a window and the next. Pure.

A *series* is one label set, a *process* what has the same `instance` and `pod` (or what else the catalog says). The
rules, and why:

- Series are subtracted one by one and then summed. A sum falls when one of its series expires (OpenTelemetry's exporter
  forgets what was silent for five minutes), and such a fall looks like a restart.
- A process's counters start again together. So a series that falls is a restart only where most of what the process's
  requests had counted fell with it, or where the process's start lies in between. Then all of them count from zero,
  those that are not back yet too. A series that falls alone was replaced by another: it says nothing of that step.
- A series that appears in a process that is known began at zero: a first error, a new endpoint. It cannot have counted
  more than the process had requests; one that shows more has a past that we do not know, and counts from there.
- A process that appears is new, or Prometheus found it late (a new scrape job). Its `process_start_time_seconds` tells.
- Where nothing else tells, requests that appear must be plausible: at most `TIMES` what any process had in that step or
  its own has in the next, and `FEW`. What is not counts from where it was found.
- What is no finite number is no sample: NaN, infinities, staleness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import NamedTuple

# What appears may show so many times what others had, and so many requests anyway.
TIMES, FEW = 5.0, 100.0
# It takes so long at most, in seconds, until Prometheus finds a process that has just started.
FOUND_WITHIN = 120.0

Values = list[float | None]
Process = tuple[str, ...]
# The most that a series of which nothing is known may have counted up to an edge, by its place in the list.
Most = Callable[[int], float]


class Series(NamedTuple):
    """A counter of one label set: what it showed last before the first edge, and at each edge; None: no sample."""

    labels: Mapping[str, str]
    before: float | None
    values: Values


class Table(NamedTuple):
    """What a query of one slot gave, and at which edges some of it was no number."""

    series: list[Series]
    odd: Sequence[bool]


class Facts:
    """What the requests of both slots tell of one process, edge by edge."""

    def __init__(self, edges: int) -> None:
        # From which edge on it is known; -1: before the first.
        self.first = edges
        self.restarted = [False] * edges
        # By how much its requests grew up to each edge.
        self.grown = [0.0] * edges
        # Whether it had just started when it appeared; None: it was there from the first edge on.
        self.young: bool | None = None


def sample(text: str) -> float | None:
    """A sample's value; None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def process_of(labels: Mapping[str, str], names: Sequence[str]) -> Process:
    """What tells a process from another."""
    return tuple(labels.get(name, "") for name in names)


def seen_edges(requests: Sequence[Table], edges: int) -> list[bool]:
    """At which edges somebody looked, by the requests of both slots.

    Nobody did where no counter was seen, and nobody can tell where all that one slot showed was no number: the windows
    on both sides of such an edge are left out.
    """

    def shown(table: Table, index: int) -> bool:
        return any(series.values[index] is not None for series in table.series)

    return [
        any(shown(table, index) for table in requests)
        and not any(table.odd[index] and not shown(table, index) for table in requests)
        for index in range(edges)
    ]


def processes(
    requests: Sequence[Series],
    seen: Sequence[bool],
    at: Sequence[float],
    names: Sequence[str],
    started: Mapping[Process, Values],
) -> dict[Process, Facts]:
    """Facts of every process, from the request counters of both slots.

    Parameters
    ----------
    at
        The edges, epoch seconds.
    started
        When each process started, epoch seconds, at each edge; empty where nothing says.
    """
    rows: dict[Process, list[Series]] = {}
    for series in requests:
        rows.setdefault(process_of(series.labels, names), []).append(series)
    known = {name: _facts(mine, at, started.get(name)) for name, mine in rows.items()}

    # First what was there before and after, by which the rest is measured.
    sure = {name: _summed(rows[name], facts, seen, lambda _: 0.0) for name, facts in known.items()}
    most = [max((grown[index] for grown in sure.values()), default=0.0) for index in range(len(at))]
    for name, facts in known.items():
        if facts.young is None and 0 < facts.first < len(at):
            shown = sum(series.values[facts.first] or 0.0 for series in rows[name])
            facts.young = shown <= _plausible(facts, sure[name], most)(facts.first)
        facts.grown = _summed(rows[name], facts, seen, _plausible(facts, sure[name], most))
    return known


def requests_grown(
    series: Series, names: Sequence[str], known: Mapping[Process, Facts], seen: Sequence[bool]
) -> list[float]:
    """By how much a counter of requests grew up to each edge since the one before; the first is always 0."""
    facts = known[process_of(series.labels, names)]
    # What its process was found to have had at most is what it may have had.
    return _grown(series, facts, seen, lambda index: facts.grown[index])


def events_grown(
    series: Series, names: Sequence[str], known: Mapping[Process, Facts], seen: Sequence[bool]
) -> list[float]:
    """The same of a counter of what happened to requests: of a process without requests it counts from its first value."""
    facts = known.get(process_of(series.labels, names)) or Facts(len(seen))
    return _grown(series, facts, seen, lambda index: facts.grown[index])


def _grown(series: Series, facts: Facts, seen: Sequence[bool], most: Most) -> list[float]:
    grown = [0.0] * len(seen)
    last = series.before
    for index, value in enumerate(series.values):
        if not seen[index]:
            continue
        if facts.restarted[index] and (last is not None or facts.first < index):
            last = 0.0
        if value is None:
            continue
        if index and seen[index - 1]:
            if last is not None:
                grown[index] = max(0.0, value - last)
            elif facts.first <= index and value <= most(index):
                grown[index] = value
        last = value
    return grown


def _summed(rows: Sequence[Series], facts: Facts, seen: Sequence[bool], most: Most) -> list[float]:
    each = [_grown(series, facts, seen, most) for series in rows]
    return [sum(grown) for grown in zip(*each, strict=True)]


def _plausible(facts: Facts, own: Sequence[float], most: Sequence[float]) -> Most:
    def allowed(index: int) -> float:
        if index == facts.first and facts.young is not None:
            return inf if facts.young else 0.0
        soon = own[index + 1] if index + 1 < len(own) else 0.0
        return TIMES * max(most[index], soon) + FEW

    return allowed


def _facts(rows: Sequence[Series], at: Sequence[float], started: Values | None) -> Facts:
    facts = Facts(len(at))
    last = [series.before for series in rows]
    if any(value is not None for value in last):
        facts.first = -1
    for index in range(len(at)):
        now = [series.values[index] for series in rows]
        start = started[index] if started else None
        pairs = [(a, b) for a, b in zip(last, now, strict=True) if a is not None and b is not None]
        if index and pairs:
            fallen, whole = sum(a for a, b in pairs if b < a), sum(a for a, _ in pairs)
            facts.restarted[index] = fallen > whole / 2 or (
                start is not None and at[index - 1] < start <= at[index]
            )
        if facts.first > index and any(value is not None for value in now):
            facts.first = index
            if start is not None and index:
                facts.young = start >= at[index - 1] - FOUND_WITHIN
        if facts.restarted[index]:
            last = [a if a is None else 0.0 for a in last]
        last = [a if b is None else b for a, b in zip(last, now, strict=True)]
    return facts
