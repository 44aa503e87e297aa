"""Days, hours and freezes that can be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime

from candlefish.catalog import hours
from candlefish.catalog.model import Catalog, Duration
from candlefish.catalog.problems import CatalogProblem, Path, unknown


def calendars(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name, calendar in catalog.calendars.items():
        for day in calendar.days:
            # A leap year, so that 02-29 may be a yearly holiday.
            yield from _tried(
                ("calendars", name, "days", day),
                date.fromisoformat,
                day if day[4:5] == "-" else f"2000-{day}",
            )


def schedules(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Hours that exist, and a rollback window that fits into them."""
    zones = hours.time_zones()
    for name, environment in catalog.environments.items():
        schedule, here = environment.schedule, ("environments", name, "schedule")
        if schedule is None:
            continue
        if schedule.timezone not in zones:
            yield unknown((*here, "timezone"), "time zone", schedule.timezone, zones)
        for index, calendar_name in enumerate(schedule.holidays):
            if calendar_name not in catalog.calendars:
                yield unknown((*here, "holidays", index), "calendar", calendar_name, catalog.calendars)
        wrong = [
            f
            for i, text in enumerate(schedule.awake)
            for f in _tried((*here, "awake", i), hours.parse_rule, text)
        ]
        yield from wrong
        rules = [] if wrong else [hours.parse_rule(text) for text in schedule.awake]
        if not any(rule.kind == "weekdays" for rule in rules) and not wrong:
            yield CatalogProblem(
                (*here, "awake"), "it never wakes", "write at least one rule like Mon-Fri 07:00-20:00"
            )
        strategy = catalog.strategies.get(environment.strategy)
        shortest = Duration(min((60 * (rule.end - rule.start) for rule in rules if rule.end), default=0))
        if strategy and rules and strategy.rollback_window > shortest:
            kept = f"{strategy.name} keeps a version ready to roll back for {strategy.rollback_window}"
            what = f"{kept}, but this may be asleep again after {shortest}"
            fix = "lengthen the hours or shorten rollback_window"
            yield CatalogProblem((*here, "awake"), what, fix, rests_on=("strategies", strategy.name))


def freezes(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name, environment in catalog.environments.items():
        for index, freeze in enumerate(environment.freezes):
            here = ("environments", name, "freezes", index)
            wrong = [
                f
                for field in ("start", "end")
                for f in _tried((*here, field), _local, getattr(freeze, field))
            ]
            yield from wrong
            if not wrong and _local(freeze.start) >= _local(freeze.end):
                yield CatalogProblem(
                    (*here, "end"), f"{freeze.end} is not after {freeze.start}", "write a later end"
                )


def _local(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo:
        raise ValueError(f"{text} carries an offset, and freezes are in the environment's own time zone")
    return moment


def _tried(path: Path, read: Callable[[str], object], text: str) -> Iterator[CatalogProblem]:
    try:
        read(text)
    except ValueError as error:
        what, _, fix = str(error).partition("; ")
        yield CatalogProblem(path, what, fix or "write it like 2026-12-24, with a time like 2026-12-24T18:00")
