"""Bills and the newest of them that is kept, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from candlefish.cost.model import Bill
from lab.memory.store import kept

# What the bill shows of a day at a time (epoch seconds): US dollars by environment, "" for what carries no tag.
Shown = Callable[[date, float], Mapping[str, float]]


def each_day(costs: Mapping[str, float]) -> Shown:
    """The same every day, shown when the day is over."""

    def shown(day: date, now: float) -> Mapping[str, float]:
        return costs if day < datetime.fromtimestamp(now, UTC).date() else {}

    return shown


class MemoryBillSource:
    """`cost.ports.BillSource` of what `shown` says; counts in `asked` how often it was read."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.asked = 0

    def daily(self, first: date, last: date, now: float) -> Bill:
        self.asked += 1
        days: dict[str, dict[str, float]] = {}
        untagged: dict[str, float] = {}
        day = first
        while day <= last:
            found = dict(self.shown(day, now))
            if "" in found:
                untagged[day.isoformat()] = found.pop("")
            if found:
                days[day.isoformat()] = found
            day += timedelta(days=1)
        return Bill(first.isoformat(), last.isoformat(), days, untagged, now)


class MemoryBillStore:
    """`cost.ports.BillStore`."""

    def __init__(self) -> None:
        self.kept: Bill | None = None

    def read(self) -> Bill | None:
        return self.kept and kept(self.kept)

    def keep(self, bill: Bill) -> None:
        self.kept = kept(bill)
