"""The calendar against an independent oracle that looks at the clock of every minute of two years.

The oracle knows nothing of time zone arithmetic: it lists what the local clock shows at each minute
and searches that list. Four zones: jumps by an hour, by half an hour, at midnight, and none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candlefish.capacity.calendar import Desired, Timetable, agenda, desired_state, spans
from candlefish.capacity.model import OverrideKind, ScheduleOverride
from candlefish.catalog.hours import WEEKDAYS, parse_rule

ZONES = ("America/Los_Angeles", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu")
START, END = datetime(2027, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)  # 2028 is a leap year.
FIRST = int(START.timestamp()) // 60
MINUTES = int((END - START).total_seconds()) // 60
FIRST_DAY, DAYS = date(2026, 12, 28), 740
EPOCH = date(1970, 1, 1)
# Every instant at which any of the zones changes its clock is a multiple of this.
STEP = 15

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Hours(NamedTuple):
    """Hours of a rule in the test's own words: minutes of the day, an end past 1440 is the next day's."""

    start: int
    end: int

    def written(self) -> str:
        end = self.end if self.end <= 1440 else self.end - 1440
        return f"{self.start // 60:02}:{self.start % 60:02}-{end // 60:02}:{end % 60:02}"


class World(NamedTuple):
    """A schedule in the test's own words."""

    weekly: tuple[tuple[frozenset[int], Hours], ...]
    holiday_hours: tuple[Hours, ...]
    holidays: frozenset[date]
    yearly: frozenset[str]
    dated: dict[date, tuple[Hours, ...]]

    def table(self, zone: str) -> Timetable:
        texts = [f"{','.join(WEEKDAYS[d] for d in sorted(days))} {h.written()}" for days, h in self.weekly]
        texts += [f"holidays {hours.written()}" for hours in self.holiday_hours]
        for day, hours in self.dated.items():
            texts += [f"{day} {each.written()}" for each in hours] or [f"{day} off"]
        named = {day.isoformat(): "a day off" for day in self.holidays} | dict.fromkeys(self.yearly, "")
        return Timetable(zone, tuple(map(parse_rule, texts)), named)

    def hours_of(self, day: date) -> Sequence[Hours]:
        if day in self.dated:
            return self.dated[day]
        if day in self.holidays or f"{day:%m-%d}" in self.yearly:
            return self.holiday_hours
        return [hours for days, hours in self.weekly if day.weekday() in days]


@cache
def clock(zone: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What the zone's clock shows at each minute, in minutes since 1970; five days of margin."""
    utc = np.arange(FIRST - 5 * 1440, FIRST + MINUTES + 5 * 1440)
    offsets = [
        int(datetime.fromtimestamp(int(m) * 60, ZoneInfo(zone)).utcoffset().total_seconds()) // 60  # type: ignore[union-attr]
        for m in utc[::STEP]
    ]
    return utc + np.repeat(offsets, STEP)[: len(utc)]


def oracle(world: World, zone: str) -> Mask:
    """Awake or not, minute by minute, by searching the list of what the clock shows."""
    shown, margin = clock(zone), 5 * 1440
    awake = np.zeros(len(shown), dtype=bool)
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        midnight = (day - EPOCH).days * 1440
        # No clock is a day away from UTC, and no hours end later than a day after their own.
        around = max(midnight - FIRST + margin - 1440, 0)
        piece = shown[around : around + 4 * 1440]
        for hours in world.hours_of(day):
            begin = int(np.argmax(piece >= midnight + hours.start))
            exactly = np.flatnonzero(piece == midnight + hours.end)
            end = int(exactly[-1]) if len(exactly) else int(np.argmax(piece >= midnight + hours.end))
            awake[around + begin : around + end] = True
    return awake[margin : margin + MINUTES]


def painted(stretches: Sequence[tuple[float, float]]) -> Mask:
    awake = np.zeros(MINUTES, dtype=bool)
    for start, end in stretches:
        assert start % 60 == 0
        assert end % 60 == 0
        awake[max(int(start) // 60 - FIRST, 0) : max(int(end) // 60 - FIRST, 0)] = True
    return awake


def hours_strategy() -> st.SearchStrategy[Hours]:
    # Often near the hours in which clocks are changed.
    minute = st.integers(0, 1439) | st.sampled_from([0, 1, 60, 90, 119, 120, 150, 179, 180, 1380, 1439])
    length = st.integers(1, 1440) | st.sampled_from([1, 30, 60, 1440])
    hours = st.builds(lambda start, length: Hours(start, start + length), minute, length)
    # HH:MM-HH:MM cannot say 24 hours from anything but midnight.
    return hours.filter(lambda each: each.end - each.start < 1440 or each.start == 0)


def day_strategy() -> st.SearchStrategy[date]:
    changes = [date(2027, 3, 14), date(2027, 11, 7), date(2028, 2, 29), date(2027, 4, 4), date(2027, 10, 29)]
    return st.integers(0, DAYS - 1).map(lambda n: FIRST_DAY + timedelta(days=n)) | st.sampled_from(changes)


worlds = st.builds(
    World,
    weekly=st.lists(
        st.tuples(st.frozensets(st.integers(0, 6), min_size=1), hours_strategy()), max_size=4
    ).map(tuple),
    holiday_hours=st.lists(hours_strategy(), max_size=2).map(tuple),
    holidays=st.frozensets(day_strategy(), max_size=20),
    yearly=st.frozensets(st.sampled_from(["01-01", "02-29", "12-25", "07-04", "03-14"]), max_size=3),
    dated=st.dictionaries(day_strategy(), st.lists(hours_strategy(), max_size=2).map(tuple), max_size=8),
)

slow = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("zone", ZONES)
@slow
@given(world=worlds)
def test_the_schedule_agrees_with_every_minute_of_two_years(zone: str, world: World) -> None:
    expected = oracle(world, zone)
    table = world.table(zone)
    found = painted([(span.start, span.end) for span in spans(table, START.timestamp(), END.timestamp())])
    assert np.array_equal(found, expected), disagreement(found, expected, zone)


def disagreement(found: Mask, expected: Mask, zone: str) -> str:
    minute = int(np.argmax(found != expected))
    local = datetime.fromtimestamp((FIRST + minute) * 60, ZoneInfo(zone))
    return f"at {local} ({zone}) the calendar says {found[minute]}, the clock says {expected[minute]}"


def overrides_strategy(from_minute: int, to_minute: int) -> st.SearchStrategy[list[ScheduleOverride]]:
    kinds: st.SearchStrategy[OverrideKind] = st.sampled_from(["wake", "sleep", "keep_awake", "freeze"])
    moment = st.integers(from_minute, to_minute).map(lambda minute: minute * 60.0)
    return st.lists(
        st.builds(
            ScheduleOverride,
            kind=kinds,
            since=moment,
            until=moment,
            by=st.just("ada"),
            reason=st.just("demo"),
        ),
        max_size=6,
    )


WEEKS = 6 * 7 * 1440


@pytest.mark.parametrize("zone", ZONES)
@slow
@given(world=worlds, data=st.data())
def test_agenda_and_desired_agree_with_the_oracle_under_overrides(
    zone: str, world: World, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, MINUTES - WEEKS), label="first minute")
    overrides = data.draw(overrides_strategy(FIRST + first, FIRST + first + WEEKS), label="overrides")
    expected = oracle(world, zone)
    # Older ones first, so that newer ones paint over them; of the same age, wake last; keep-awake over all.
    for override in sorted(overrides, key=lambda o: (o.kind == "keep_awake", o.since, o.kind == "wake")):
        if override.kind != "freeze":
            slice_ = slice(int(override.since) // 60 - FIRST, max(int(override.until) // 60 - FIRST, 0))
            expected[slice_] = override.kind != "sleep"
    table = world.table(zone)
    start, end = (FIRST + first) * 60.0, (FIRST + first + WEEKS) * 60.0
    stretches = agenda(table, overrides, start, end)
    assert [s.start for s in stretches] == [start, *(s.end for s in stretches[:-1])]
    assert stretches[-1].end == end
    found = painted([(s.start, s.end) for s in stretches if s.state == "awake"])[first : first + WEEKS]
    assert np.array_equal(found, expected[first : first + WEEKS])
    for minute in data.draw(st.lists(st.integers(first, first + WEEKS - 1), max_size=8), label="minutes"):
        now = (FIRST + minute) * 60.0 + data.draw(st.integers(0, 59))
        answer = desired_state(table, overrides, now)
        assert (answer.state == "awake") == bool(expected[minute])
        check_until(answer, expected, minute)


def check_until(answer: Desired, expected: Mask, minute: int) -> None:
    """The state stands until the very minute it says, and changes then."""
    rest = expected[minute:]
    changes = np.flatnonzero(rest != rest[0])
    if answer.until is None:
        assert not len(changes) or changes[0] >= 40 * 1440
    elif len(changes):
        assert answer.until == (FIRST + minute + int(changes[0])) * 60
