"""When an environment is awake, as `schedule` prints and draws it. Pure; hours are those of the environment's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from candlefish.views.model import CalendarView, DayView
from cli.screen.cells import Line, Span, Style, clean, line, padded, paragraph
from cli.screen.clock import day_and_clock, left
from cli.screen.release import NARROW

HOURS = 24
# One character an hour in a day's bar: awake for all of it, for a part, not at all.
BAR = {1: "█", 0.5: "▌", 0: "·"}
HEADING = "0     6     12    18   24"
# Lines of one reason at most, and cells of a day and its hours.
MOST, WIDE = 3, 26


class Day(NamedTuple):
    """One local day: when it is awake, as hours of its clock, and why."""

    day: date
    awake: list[tuple[float, float]]
    reasons: list[str]


def calendar_lines(view: CalendarView, width: int, now: float, count: int) -> list[Line]:
    """What holds, what ends when, so many days with a bar of 24 hours each, and when nothing may be released."""
    zone = ZoneInfo(view.zone)
    lines = paragraph(view.says, width, MOST, "bold")
    for each in view.left:
        lines += paragraph(f"{each.what}: {left(each.until, now, zone)}: {each.says}", width, MOST, "dim")
    if days := days_of(view, count):
        head = line(padded("", WIDE), HEADING) if width >= NARROW else ()
        lines += [(), *([head] if head else [])]
        lines += [each for day in days for each in _day(day, width)]
        lines += [line(total(view, count)), line(Span(f"local time, {clean(view.zone)}; one character an hour", "dim"))]  # fmt: skip
    frozen = [each for each in view.days if each.state == "frozen"]
    return [*lines, *frozen_lines(frozen, width, now, zone)]


def frozen_lines(frozen: Sequence[DayView], width: int, now: float, zone: ZoneInfo) -> list[Line]:
    """When nothing may be released, and why."""
    lines: list[Line] = []
    for each in frozen:
        begins, ends = (day_and_clock(at, zone, now) for at in (each.start, each.end))
        said = f"frozen until {ends}" if each.start <= now else f"frozen from {begins} until {ends}"
        lines += paragraph(f"{said}: {each.says}", width, MOST, "warning", first="‖ ", then="  ")
    return lines


def _day(day: Day, width: int) -> list[Line]:
    hours = ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in day.awake) or "-"
    style: Style = "" if day.awake else "dim"
    head = f"{day.day:%a %d %b}  {hours}"
    why = "; ".join(day.reasons)
    if width < NARROW:
        return paragraph(f"{head}  {why}", width, MOST, style, then="    ")
    before = f"{padded(head, WIDE - 1)} {bar(day)}  "
    lines = paragraph(why, width, MOST, style, first=before, then=" " * len(before))
    return lines or [line(Span(before, style))]


def days_of(view: CalendarView, count: int) -> list[Day]:
    """The first days of a calendar, at most so many, each with its awake hours; none where it has no hours."""
    zone = ZoneInfo(view.zone)
    stretches = _stretches(view)
    if not stretches:
        return []
    first, last = (
        datetime.fromtimestamp(at, zone).date() for at in (stretches[0].start, stretches[-1].end - 1)
    )
    dates = [first + timedelta(days=n) for n in range(min((last - first).days + 1, count))]
    shown = []
    for day in dates:
        begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        if begin == end:  # A day that the zone skipped.
            continue
        within = [each for each in stretches if each.start < end and begin < each.end]
        awake = [each for each in within if each.state == "awake"]
        hours = [
            (_hour(max(each.start, begin), day, zone), _hour(min(each.end, end), day, zone)) for each in awake
        ]
        reasons = dict.fromkeys(_brief(each.says, day, view.zone) for each in awake or within)
        shown.append(Day(day, _joined(hours), list(reasons)))
    return shown


def _stretches(view: CalendarView) -> list[DayView]:
    return [each for each in view.days if each.state != "frozen"]


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _joined(hours: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches that touch, as one: they differ in their reason only."""
    joined: list[tuple[float, float]] = []
    for start, end in hours:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _brief(reason: str, day: date, zone: str) -> str:
    """A reason without what the table says already."""
    for known in (f" ({zone})", f" on {day:%a %d %b}", f"{day:%a %d %b} is a ", "awake by ", "asleep: "):
        reason = reason.replace(known, "")
    return reason


def _hour(moment: float, day: date, zone: ZoneInfo) -> float:
    """What the clock shows, in hours since the day's midnight; 24 at its end."""
    local = datetime.fromtimestamp(moment, zone)
    return HOURS if local.date() > day else local.hour + local.minute / 60


def bar(day: Day) -> str:
    """A day's 24 hours, a character each."""
    return "".join(BAR[_share(day, hour)] for hour in range(HOURS))


def _share(day: Day, hour: int) -> float:
    awake = sum(max(0.0, min(end, hour + 1) - max(start, hour)) for start, end in day.awake)
    return 1 if awake >= 1 else 0.5 if awake > 0 else 0


def _clock(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def total(view: CalendarView, count: int) -> str:
    """How much of the shown days it is awake, as far as the calendar has them."""
    zone, stretches = ZoneInfo(view.zone), _stretches(view)
    first = datetime.fromtimestamp(stretches[0].start, zone).date()
    end = _midnight(first + timedelta(days=count), zone)
    parts = [(each.state, min(each.end, end) - each.start) for each in stretches if each.start < end]
    whole = sum(length for _, length in parts)
    awake = sum(length for state, length in parts if state == "awake")
    return f"{awake / 3600:.4g} of {whole / 3600:.4g} hours awake, {100 * (1 - awake / whole):.0f}% asleep"
