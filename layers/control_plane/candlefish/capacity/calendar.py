"""When an environment is to be awake: schedule, holidays and overrides, as pure functions of the time.

Precedence, strongest first: freeze (change nothing), keep-awake, the newer of wake and sleep, rules
for the date, rules for holidays, rules for the weekday. docs/catalog.md explains each.

A local time that the clock skips means the moment of the jump (`candlefish.clock`). One that it shows twice is the first
as a start and the second as an end, so that a span has no hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from candlefish.capacity.model import ScheduleOverride, State
from candlefish.catalog.hours import Rule, parse_rule
from candlefish.catalog.model import Calendar, Environment
from candlefish.clock import moment_of
from candlefish.errors import Misconfigured, NotAllowed

ALWAYS = parse_rule("daily 00:00-24:00")
# How far ahead to look for the next change: mostly it is near, and no run of holidays is longer than the last.
HORIZONS = (timedelta(days=3), timedelta(days=40))


class Timetable(msgspec.Struct, frozen=True):
    """A schedule ready to be asked: its rules, and the days that are holidays by name."""

    zone: str
    rules: tuple[Rule, ...]
    holidays: Mapping[str, str] = {}
    # The last day for which all holidays are known; "" when they are written by hand and always known.
    known_until: str = ""


class Desired(msgspec.Struct, frozen=True):
    """What an environment should be, why, and until when that stands (None: no change within sight)."""

    state: State
    reason: str
    until: float | None = None
    # Whether somebody asked for it, rather than the schedule.
    overridden: bool = False
    # Why nothing may be changed now, whatever the state should be; "" when changes are fine.
    frozen: str = ""


def timetable(environment: Environment, calendars: Mapping[str, Calendar]) -> Timetable:
    """The timetable of an environment; always awake when it has no schedule.

    Raises
    ------
    NotAllowed
        For production: it has no timetable.
    Misconfigured
        When the schedule names what the catalog does not have; `candlefish catalog check` finds these.
    """
    if environment.production:
        raise NotAllowed(f"{environment.name} is production and never sleeps; it has no schedule")
    schedule = environment.schedule
    if schedule is None:
        return Timetable(environment.timezone, (ALWAYS,))
    try:
        named = [calendars[name] for name in schedule.holidays]
        rules = tuple(parse_rule(text) for text in schedule.awake)
        ZoneInfo(schedule.timezone)
    except (KeyError, ValueError) as error:
        raise Misconfigured(
            f"the schedule of {environment.name} cannot be read: {error}; run `candlefish catalog check`"
        ) from error
    holidays = {day: title for calendar in named for day, title in calendar.days.items()}
    known = min((calendar.known_until for calendar in named if calendar.known_until), default="")
    return Timetable(schedule.timezone, rules, holidays, known)


def desired_state(table: Timetable, overrides: Sequence[ScheduleOverride], now: float) -> Desired:
    """What the environment should be at `now` (epoch seconds)."""
    answer = _answer(table, overrides, now)
    answer = msgspec.structs.replace(answer, until=_until(table, overrides, answer, now))
    frozen = next((override for override in _ranked(overrides, now) if override.kind == "freeze"), None)
    if frozen is None:
        return answer
    words = f"frozen until {_shown(table, frozen.until)} by {frozen.by}: {frozen.reason}"
    return msgspec.structs.replace(answer, frozen=words)


# --- overrides ----------------------------------------------------------------------------


def _answer(table: Timetable, overrides: Sequence[ScheduleOverride], now: float) -> Desired:
    return _overridden(table, _ranked(overrides, now)) or _scheduled(table, now)


def _ranked(overrides: Sequence[ScheduleOverride], now: float) -> list[ScheduleOverride]:
    """The overrides that hold now, newest first; of two at the same moment, the one that keeps it awake."""
    active = [override for override in overrides if override.since <= now < override.until]
    return sorted(active, key=lambda override: (override.since, override.kind == "wake"), reverse=True)


def _overridden(table: Timetable, ranked: Sequence[ScheduleOverride]) -> Desired | None:
    kept = next((override for override in ranked if override.kind == "keep_awake"), None)
    override = kept or next((override for override in ranked if override.kind in ("wake", "sleep")), None)
    if override is None:
        return None
    state: State = "asleep" if override.kind == "sleep" else "awake"
    word = {"wake": "woken", "sleep": "put to sleep", "keep_awake": "kept awake"}[override.kind]
    reason = f"{word} until {_shown(table, override.until)} by {override.by}: {override.reason}"
    return Desired(state, reason, overridden=True)


def _shown(table: Timetable, moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, ZoneInfo(table.zone)):%a %d %b %H:%M}"


# --- the schedule -------------------------------------------------------------------------


class Span(msgspec.Struct, frozen=True):
    """A stretch of time awake, in epoch seconds [start, end), and the rule that says so."""

    start: float
    end: float
    rule: str


def spans(table: Timetable, start: float, end: float) -> list[Span]:
    """Every span of the schedule that touches [start, end), by start. Spans may overlap."""
    zone = ZoneInfo(table.zone)
    # A span ends up to two days after its day begins, and zones have skipped whole days.
    day = datetime.fromtimestamp(start, zone).date() - timedelta(days=3)
    last = datetime.fromtimestamp(end, zone).date() + timedelta(days=1)
    found = []
    while day <= last:
        for rule in rules_of(table, day)[0]:
            begin, finish = _instant(day, rule.start, zone, fold=0), _instant(day, rule.end, zone, fold=1)
            span = Span(begin, finish, rule.text)
            if span.start < span.end and span.start < end and start < span.end:
                found.append(span)
        day += timedelta(days=1)
    return sorted(found, key=lambda span: (span.start, span.end))


def rules_of(table: Timetable, day: date) -> tuple[list[Rule], str]:
    """The rules that give a day its hours, and the holiday that it is ("" for none)."""
    iso = day.isoformat()
    holiday = table.holidays.get(iso, table.holidays.get(iso[5:]))
    fitting = [rule for rule in table.rules if rule.kind == "date" and rule.day == iso]
    if not fitting and holiday is not None:
        fitting = [rule for rule in table.rules if rule.kind == "holidays"]
    elif not fitting:
        fitting = [rule for rule in table.rules if rule.kind == "weekdays" and day.weekday() in rule.weekdays]
    return [rule for rule in fitting if rule.end], "" if holiday is None else holiday or "without a name"


def _scheduled(table: Timetable, now: float) -> Desired:
    current = [span for span in spans(table, now, now + 1) if span.start <= now]
    day = datetime.fromtimestamp(now, ZoneInfo(table.zone)).date()
    rules, holiday = rules_of(table, day)
    unknown = ""
    if table.known_until and day.isoformat() > table.known_until:
        unknown = f" (holidays are known until {table.known_until} only: compile the catalog again)"
    if current:
        texts = " and ".join(dict.fromkeys(span.rule for span in current))
        return Desired("awake", f"awake by {texts} ({table.zone}){unknown}")
    if holiday and not rules:
        return Desired("asleep", f"asleep: {day:%a %d %b} is a holiday ({holiday}){unknown}")
    if not rules:
        return Desired("asleep", f"asleep: no hours on {day:%a %d %b} ({table.zone}){unknown}")
    texts = " and ".join(rule.text for rule in rules)
    return Desired("asleep", f"asleep outside {texts} ({table.zone}){unknown}")


def _instant(day: date, minute: int, zone: ZoneInfo, fold: Literal[0, 1]) -> float:
    """When the zone's clock shows that minute of the day: the first or the second time, if there are two."""
    naive = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return moment_of(naive, zone, fold=fold)


# --- changes ------------------------------------------------------------------------------


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of time in which one answer holds, in epoch seconds [start, end)."""

    start: float
    end: float
    state: State
    reason: str


def agenda(
    table: Timetable, overrides: Sequence[ScheduleOverride], start: float, end: float
) -> list[Stretch]:
    """What the environment should be from `start` to `end`, stretch by stretch, without gaps."""
    stretches: list[Stretch] = []
    moments = [start, *_changes(table, overrides, start, end), end]
    for begin, finish in pairwise(moments):
        answer = _answer(table, overrides, begin)
        if stretches and (stretches[-1].state, stretches[-1].reason) == (answer.state, answer.reason):
            stretches[-1] = msgspec.structs.replace(stretches[-1], end=finish)
        elif begin < finish:
            stretches.append(Stretch(begin, finish, answer.state, answer.reason))
    return stretches


def _changes(
    table: Timetable, overrides: Sequence[ScheduleOverride], start: float, end: float
) -> list[float]:
    """Every moment between two times at which the answer may change."""
    zone = ZoneInfo(table.zone)
    moments = {moment for span in spans(table, start, end) for moment in (span.start, span.end)}
    moments |= {moment for override in overrides for moment in (override.since, override.until)}
    day = datetime.fromtimestamp(start, zone).date()
    while (midnight := _instant(day, 0, zone, fold=0)) < end:
        moments.add(midnight)
        day += timedelta(days=1)
    return sorted(moment for moment in moments if start < moment < end)


def _until(
    table: Timetable, overrides: Sequence[ScheduleOverride], answer: Desired, now: float
) -> float | None:
    """When the state changes next, if it does within sight."""
    for horizon in HORIZONS:
        for moment in _changes(table, overrides, now, now + horizon.total_seconds()):
            if _answer(table, overrides, moment).state != answer.state:
                return moment
    return None
