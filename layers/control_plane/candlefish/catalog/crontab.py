"""Schedules of CronJobs, as Kubernetes reads them: five fields, or a word like @daily. Pure.

Source: Kubernetes, CronJob, "Schedule syntax"; github.com/robfig/cron, whose standard parser the cluster uses.
"""

from __future__ import annotations

from typing import NamedTuple

WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Field(NamedTuple):
    """One of the five: what it is called, its bounds, and names for its numbers, from the lowest on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    # Sunday is 0 and no other: Kubernetes takes no 7.
    _Field("day of the week", 0, 6, _DAYS),
)


def wrong_with(schedule: str) -> str:
    """Why a schedule is none; empty when it is one."""
    if schedule.startswith("@"):
        return "" if schedule in WORDS else f"there is no {schedule}, only {', '.join(WORDS)}"
    written = schedule.split()
    if len(written) != len(_FIELDS):
        return f"it has {len(written)} fields and not five"
    for field, text in zip(_FIELDS, written, strict=True):
        for part in text.split(","):
            if not _is_part(part, field):
                return f"{part!r} is no {field.name}, which goes from {field.low} to {field.high}"
    return ""


def _is_part(part: str, field: _Field) -> bool:
    span, stepped, step = part.partition("/")
    if stepped and not (step.isdecimal() and step.isascii() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    first, ranged, last = span.partition("-")
    low = _number(first, field)
    high = _number(last, field) if ranged else low
    return low is not None and high is not None and low <= high


def _number(text: str, field: _Field) -> int | None:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.low
    if not (text.isdecimal() and text.isascii()) or len(text) > 2:
        return None
    return int(text) if field.low <= int(text) <= field.high else None
