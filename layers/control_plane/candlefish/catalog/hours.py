"""Awake hours as the catalog writes them: `Mon-Fri 07:00-20:00`, `holidays off`, `2026-12-24 08:00-12:00`."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import Literal
from zoneinfo import available_timezones

import msgspec

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = 24 * 60

_SPAN = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
_HELP = "write it like 'Mon-Fri 07:00-20:00', 'daily 22:00-06:00', 'holidays 10:00-14:00' or '2026-12-24 off'"


@cache
def time_zones() -> frozenset[str]:
    """Names of all time zones; to find them zoneinfo opens every file that could be one."""
    return frozenset(available_timezones())


class Rule(msgspec.Struct, frozen=True):
    """Hours on some days. `start` and `end` are minutes after the day's midnight; an end over midnight
    is past 1440. Both are 0 when the days are off.
    """

    text: str
    kind: Literal["weekdays", "holidays", "date"]
    start: int
    end: int
    # 0 is Monday; for kind "weekdays".
    weekdays: frozenset[int] = frozenset()
    # ISO date; for kind "date".
    day: str = ""


def parse_rule(text: str) -> Rule:
    """Read one rule.

    Raises
    ------
    ValueError
        When it is not one; the message says what to write.
    """
    days, _, hours = text.strip().partition(" ")
    hours = hours.strip()
    kind: Literal["weekdays", "holidays", "date"] = "weekdays"
    weekdays: frozenset[int] = frozenset()
    if days == "holidays":
        kind = "holidays"
    elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", days):
        kind = "date"
        _check_date(days)
    else:
        weekdays = _weekdays(days)
    if hours == "off":
        if kind == "weekdays":
            raise ValueError(f"{text!r}: days that no rule names are off already; remove the rule")
        start = end = 0
    else:
        start, end = _span(text, hours)
    return Rule(text, kind, start, end, weekdays, days if kind == "date" else "")


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text} is no date ({error}); {_HELP}") from None


def _weekdays(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(f"{part!r} names no days ({', '.join(WEEKDAYS)}); {_HELP}")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(days)


def _span(text: str, hours: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(hours)
    if not match:
        raise ValueError(f"{text!r} has no hours; {_HELP}")
    from_hour, from_minute, to_hour, to_minute = (int(part) for part in match.groups())
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or start >= DAY or end > DAY:
        raise ValueError(f"{hours!r} is no time of day; write 00:00 to 23:59, or 24:00 as an end")
    if start == end:
        raise ValueError(f"{hours!r} could be nothing or a whole day; write 00:00-24:00 for a day, or off")
    return start, end if end > start else end + DAY
