"""See when an environment is awake in the coming days, and when nothing may be released."""

from __future__ import annotations

from candlefish.capacity.calendar import agenda, timetable
from candlefish.capacity.model import ScheduleOverride
from candlefish.errors import ControlPlaneError
from candlefish.release.freeze import stretch_of
from candlefish.views.cells import sleep_left
from candlefish.views.look import surroundings
from candlefish.views.model import CalendarView, DayView, Left
from candlefish.views.ports import Looking
from candlefish.views.words import DAY, lasting

# How far ahead is shown, in seconds; freezes of the catalog as far as this.
AHEAD, FREEZES_AHEAD = 7 * DAY, 400 * DAY


def see_calendar(*, looking: Looking) -> CalendarView:
    """The next days of this environment."""
    now, environment = looking.now(), looking.catalog.environment(looking.environment)
    around = surroundings(looking)
    zone = environment.schedule.timezone if environment.schedule else environment.timezone
    days: list[DayView] = []
    if not environment.production and environment.schedule:
        days = [
            DayView(each.start, each.end, each.state, each.reason)
            for each in agenda(
                timetable(environment, looking.catalog.calendars), _overrides(looking), now, now + AHEAD
            )
        ]
    for freeze in environment.freezes:
        start, end = stretch_of(freeze, environment.timezone)
        if end > now and start < now + FREEZES_AHEAD:
            days.append(
                DayView(
                    start, end, "frozen", f"{freeze.name}: {freeze.reason}" if freeze.reason else freeze.name
                )
            )
    days += [
        DayView(now, each.until, "frozen", f"{each.service or 'everything'}, by {each.by}: {each.reason}")
        for each in around.freezes
        if each.by
    ]
    left = [Left("freeze", each.until, f"frozen until then: {each.reason}") for each in around.freezes]
    if sleeps := sleep_left(around):
        left.insert(0, sleeps)
    return CalendarView(
        now, zone, _says(looking, around.asleep, around.going, around.turns_at), tuple(days), tuple(left)
    )


def _overrides(looking: Looking) -> tuple[ScheduleOverride, ...]:
    try:
        return looking.capacity.get().overrides if looking.capacity else ()
    except ControlPlaneError:
        # `surroundings` says that it cannot be read.
        return ()


def _says(looking: Looking, asleep: bool, going: str, turns_at: float) -> str:
    environment = looking.catalog.environment(looking.environment)
    if environment.production:
        return f"{environment.name} never sleeps"
    if environment.schedule is None:
        return f"{environment.name} has no schedule: it is always awake"
    state = going or ("asleep" if asleep else "awake")
    if not turns_at:
        return state
    return f"{state} for {lasting(turns_at - looking.now())} more"
