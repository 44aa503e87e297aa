"""Expands a calendar's country and iCalendar file into dates, at build time, so that functions stay lean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from candlefish.catalog.model import Calendar, suggest

# Whole years, the current one included: the same files give the same bytes all year long.
YEARS = 3


class Unusable(NamedTuple):
    """Why a field of a calendar cannot be expanded, and what to do."""

    field: str
    what: str
    fix: str


def expand(calendar: Calendar, folder: Path, today: date) -> tuple[Calendar, list[Unusable]]:
    """The calendar with the days of its sources from 1 January of this year on, for `YEARS` years.

    What is written in `days` wins over a source's name for the same day.
    """
    first, last = date(today.year, 1, 1), date(today.year + YEARS - 1, 12, 31)
    days: dict[date, str] = {}
    wrong: list[Unusable] = []
    for source in (_country, _ical):
        found = source(calendar, folder, first, last)
        if isinstance(found, Unusable):
            wrong.append(found)
        else:
            days.update(found)
    if not (calendar.country or calendar.ical):
        return calendar, wrong
    named = {day.isoformat(): name for day, name in sorted(days.items())}
    known_until = last.isoformat()
    return msgspec.structs.replace(calendar, days={**named, **calendar.days}, known_until=known_until), wrong


def _country(calendar: Calendar, _: Path, first: date, last: date) -> dict[date, str] | Unusable:
    if not calendar.country:
        return {}
    import holidays  # A large package: only whoever names a country pays for it.

    years = range(first.year, last.year + 1)
    try:
        found = holidays.country_holidays(calendar.country, subdiv=calendar.subdivision or None, years=years)
    except NotImplementedError:
        supported = holidays.list_supported_countries()  # Imports every country; only after a mistake.
        if calendar.country not in supported:
            what = f"the holidays package knows no country {calendar.country!r}"
            return Unusable("country", what, suggest(calendar.country, supported))
        what = f"{calendar.country} has no subdivision {calendar.subdivision!r}"
        return Unusable("subdivision", what, suggest(calendar.subdivision, supported[calendar.country]))
    return {day: name for day, name in found.items() if first <= day <= last}


def _ical(calendar: Calendar, folder: Path, first: date, last: date) -> dict[date, str] | Unusable:
    if not calendar.ical:
        return {}
    import icalendar

    file = folder / calendar.ical
    try:
        parsed = icalendar.Calendar.from_ical(file.read_bytes())
        return {
            day: str(event.get("SUMMARY", calendar.name))
            for event in parsed.walk("VEVENT")
            if event.get("STATUS") != "CANCELLED"
            for day in _days_of(event, first, last)
        }
    except OSError as error:
        return Unusable("ical", f"cannot read {file}: {error.strerror}", "put the file beside calendars.yaml")
    except (ValueError, TypeError, KeyError) as error:
        return Unusable(
            "ical", f"{file} is no calendar of whole days: {error}", "export it again as iCalendar"
        )


def _days_of(event: Any, first: date, last: date) -> Iterator[date]:
    """The days that an all-day event covers, repeated as its rule says (RFC 5545, DTEND is exclusive)."""
    from dateutil.rrule import rruleset, rrulestr  # type: ignore[import-untyped]

    name, start = event.get("SUMMARY", "an event"), event["DTSTART"].dt
    if isinstance(start, datetime):
        raise TypeError(f"{name!r} has a time of day")
    end = (
        event["DTEND"].dt
        if "DTEND" in event
        else start + event["DURATION"].dt
        if "DURATION" in event
        else None
    )
    length = (end - start).days if end else 1
    repeated = rruleset()
    repeated.rdate(datetime.combine(start, time()))
    for rule in _listed(event.get("RRULE")):
        repeated.rrule(rrulestr(rule.to_ical().decode(), dtstart=datetime.combine(start, time())))
    for field, note in (("RDATE", repeated.rdate), ("EXDATE", repeated.exdate)):
        for entry in _listed(event.get(field)):
            for moment in entry.dts:
                note(datetime.combine(moment.dt, time()))
    earliest = datetime.combine(first - timedelta(days=length), time())
    for begun in repeated.between(earliest, datetime.combine(last, time()), inc=True):
        covered = (begun.date() + timedelta(days=offset) for offset in range(length))
        yield from (day for day in covered if first <= day <= last)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
