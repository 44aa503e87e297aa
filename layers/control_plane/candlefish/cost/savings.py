"""What sleeping saved: hours that were really spent asleep, times what an hour awake costs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from candlefish.capacity.calendar import Timetable, agenda
from candlefish.capacity.model import CapacityRecord, Nap, ScheduleOverride
from candlefish.cost.model import Rates, Savings

HOUR = 3600.0


def naps_of(record: CapacityRecord, now: float) -> tuple[Nap, ...]:
    """Every stretch asleep, the one that still lasts included."""
    if record.phase != "asleep":
        return record.naps
    return (*record.naps, Nap(record.phase_at, now))


def hours_asleep(naps: Iterable[Nap], start: float, end: float) -> float:
    """Hours asleep within [start, end), epoch seconds."""
    return sum(max(0.0, min(nap.end, end) - max(nap.start, start)) for nap in naps) / HOUR


def savings(naps: Iterable[Nap], rates: Rates, start: float, end: float) -> Savings:
    """What was saved within [start, end) against being awake all the time."""
    hours = hours_asleep(naps, start, end)
    return Savings(round(hours, 2), round(hours * rates.hourly, 2) if rates.known else None)


def day_bounds(day: date) -> tuple[float, float]:
    """A UTC day as epoch seconds."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return start, start + 24 * HOUR


def awake_hours(
    day: date, *, table: Timetable, overrides: tuple[ScheduleOverride, ...], naps: Iterable[Nap], now: float
) -> float:
    """Hours awake of a UTC day: as it was until now, as scheduled after that."""
    start, end = day_bounds(day)
    past = max(0.0, min(end, now) - start) / HOUR
    slept = hours_asleep(naps, start, min(end, now)) if past else 0.0
    ahead = agenda(table, overrides, max(start, now), end) if end > now else []
    return past - slept + sum(each.end - each.start for each in ahead if each.state == "awake") / HOUR


def scheduled_hours(table: Timetable, overrides: tuple[ScheduleOverride, ...], now: float) -> float:
    """Hours awake that are left in the month (UTC)."""
    today = datetime.fromtimestamp(now, UTC).date()
    after = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    ahead = agenda(table, overrides, now, day_bounds(after)[0])
    return sum(each.end - each.start for each in ahead if each.state == "awake") / HOUR
