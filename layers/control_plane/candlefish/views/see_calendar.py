"""See when an environment is awake in the coming days, and when nothing may be released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from candlefish.capacity.calendar import agenda, desired_state, timetable
from candlefish.capacity.model import ScheduleOverride
from candlefish.catalog.model import Calendar, Environment
from candlefish.release.freeze import stretch_of
from candlefish.views.cells import sleep_left
from candlefish.views.look import surroundings
from candlefish.views.model import CalendarView, DayView, Left
from candlefish.views.ports import Looking
from candlefish.views.words import DAY, lasting

# How far ahead is shown, in seconds; freezes of the catalog as far as this.
AHEAD, FREEZES_AHEAD = 14 * DAY, 400 * DAY


def see_calendar(*, looking: Looking) -> CalendarView:
    """The next days of this environment."""
    now, environment = looking.now(), looking.catalog.environment(looking.environment)
    around = surroundings(looking)
    days = [
        *_hours(environment, looking.catalog.calendars, around.overrides, now, now + AHEAD),
        *_windows(environment, now, now + FREEZES_AHEAD),
    ]
    days += [
        DayView(
            now,
            each.until,
            "frozen",
            f"{each.service or 'everything'}, by {each.by}: {each.reason}",
            each.service,
        )
        for each in around.freezes
        if each.by
    ]
    left = [Left("freeze", each.until, f"frozen until then: {each.reason}") for each in around.freezes]
    if sleeps := sleep_left(around):
        left.insert(0, sleeps)
    state = around.going or ("asleep" if around.asleep else "awake")
    says = _without_hours(environment) or state
    if around.turns_at and not _without_hours(environment):
        says = f"{state} for {lasting(around.turns_at - now)} more"
    return CalendarView(now, zone_of(environment), says, tuple(days), tuple(left))


def see_catalog_calendar(
    environment: Environment, calendars: Mapping[str, Calendar], start: float, end: float, now: float
) -> CalendarView:
    """The same from `start` to `end` by the catalog alone: nobody is asked what people asked for, or how it stands."""
    days = (
        *_hours(environment, calendars, (), start, end),
        *_windows(environment, start, max(end, start + FREEZES_AHEAD)),
    )
    if without := _without_hours(environment):
        return CalendarView(now, zone_of(environment), without, days)
    wanted = desired_state(timetable(environment, calendars), (), now)
    says = f"by the catalog alone {environment.name} should be {wanted.state}"
    if wanted.until is None:
        return CalendarView(now, zone_of(environment), f"{says}: {wanted.reason}", days)
    turns = "wakes then" if wanted.state == "asleep" else "falls asleep then"
    return CalendarView(
        now,
        zone_of(environment),
        f"{says} for {lasting(wanted.until - now)} more: {wanted.reason}",
        days,
        (Left("sleep", wanted.until, turns),),
    )


def zone_of(environment: Environment) -> str:
    """Whose clock its hours are of."""
    return environment.schedule.timezone if environment.schedule else environment.timezone


def _without_hours(environment: Environment) -> str:
    """Why an environment has no hours of its own; empty where it has."""
    if environment.production:
        return f"{environment.name} never sleeps"
    return "" if environment.schedule else f"{environment.name} has no schedule: it is always awake"


def _hours(
    environment: Environment,
    calendars: Mapping[str, Calendar],
    overrides: Sequence[ScheduleOverride],
    start: float,
    end: float,
) -> list[DayView]:
    """When it is awake and asleep, without a gap; nothing where it has no hours."""
    if _without_hours(environment):
        return []
    table = timetable(environment, calendars)
    return [
        DayView(each.start, each.end, each.state, each.reason)
        for each in agenda(table, overrides, start, end)
    ]


def _windows(environment: Environment, start: float, end: float) -> list[DayView]:
    """The freeze windows that the catalog names."""
    found = []
    for freeze in environment.freezes:
        begins, ends = stretch_of(freeze, environment.timezone)
        if ends > start and begins < end:
            says = f"{freeze.name}: {freeze.reason}" if freeze.reason else freeze.name
            found.append(DayView(begins, ends, "frozen", says))
    return found
