"""Expands a calendar's country and iCalendar file into dates, at build time, so that functions stay lean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
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
    import recurring_ical_events

    file = folder / calendar.ical
    try:
        parsed: Any = icalendar.Calendar.from_ical(file.read_bytes())
        for event in parsed.walk("VEVENT"):
            if isinstance(event["DTSTART"].dt, datetime):
                raise TypeError(f"{event.get('SUMMARY', 'an event')!r} has a time of day")
        # Rules, exceptions, and instances that were moved or cancelled are the library's.
        events = recurring_ical_events.of(parsed).between(first, last + timedelta(days=1))
        return {
            day: str(event.get("SUMMARY", calendar.name))
            for event in events
            if str(event.get("STATUS", "")).upper() != "CANCELLED"
            for day in _days_of(event)
            if first <= day <= last
        }
    except OSError as error:
        return Unusable("ical", f"cannot read {file}: {error.strerror}", "put the file beside calendars.yaml")
    except (ValueError, TypeError, KeyError) as error:
        return Unusable(
            "ical", f"{file} is no calendar of whole days: {error}", "export it again as iCalendar"
        )


def _days_of(event: Any) -> Iterator[date]:
    """The days that an instance of an all-day event covers.

    DTEND is exclusive (RFC 5545, 3.6.1); exporters that write the first day there mean that day.
    """
    start = event["DTSTART"].dt
    length = (event["DTEND"].dt - start).days if "DTEND" in event else 1
    return (start + timedelta(days=offset) for offset in range(max(length, 1)))
