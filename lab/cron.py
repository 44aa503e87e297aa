"""When schedules fire: `rate(...)`, `cron(...)` and `at(...)` expressions of EventBridge.

Only rates run in lab time (a minute is a second at a time scale of 60); a cron expression fires by
the clock on the wall in its own time zone, because what it triggers looks at that clock too.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {
    name: at
    for at, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], start=1
    )
}
# EventBridge counts from Sunday = 1.
_DAYS = {name: at for at, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)}
_HORIZON = timedelta(days=366)


class InvalidSchedule(ValueError):
    """The expression is not one that EventBridge takes."""


def next_fire(
    expression: str, after: datetime, time_scale: float = 1.0, timezone: str = "UTC"
) -> datetime | None:
    """The first moment after `after` at which a schedule fires; None when it never does again.

    Parameters
    ----------
    after
        An aware datetime.
    time_scale
        Rates are divided by it.

    Raises
    ------
    InvalidSchedule
        When the expression cannot be read.
    """
    match = re.fullmatch(r"(rate|cron|at)\((.+)\)", expression.strip())
    if match is None:
        raise InvalidSchedule(f"{expression!r} is not rate(...), cron(...) or at(...)")
    kind, body = match.groups()
    if kind == "rate":
        return after + timedelta(seconds=_rate_seconds(body) / time_scale)
    zone = ZoneInfo(timezone)
    if kind == "at":
        moment = datetime.fromisoformat(body).replace(tzinfo=zone)
        return moment if moment > after else None
    return _next_cron(body, after.astimezone(zone))


def _rate_seconds(body: str) -> float:
    match = re.fullmatch(r"(\d+) (minute|hour|day)s?", body)
    if match is None or int(match.group(1)) == 0:
        raise InvalidSchedule(f"rate({body}) is not a number and minutes, hours or days")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _next_cron(body: str, after: datetime) -> datetime | None:
    fields = body.split()
    if len(fields) != 6:
        raise InvalidSchedule(f"cron({body}) has {len(fields)} fields, not six")
    minutes = _field(fields[0], 0, 59, {})
    hours = _field(fields[1], 0, 23, {})
    months = _field(fields[3], 1, 12, _MONTHS)
    years = _field(fields[5], 1970, 2199, {})
    moment = (after + timedelta(minutes=1)).replace(second=0, microsecond=0)
    end = after + _HORIZON
    while moment < end:
        if (
            moment.year not in years
            or moment.month not in months
            or not _day_matches(fields[2], fields[4], moment)
        ):
            moment = (moment + timedelta(days=1)).replace(hour=0, minute=0)
        elif moment.hour not in hours:
            moment = (moment + timedelta(hours=1)).replace(minute=0)
        elif moment.minute not in minutes:
            moment += timedelta(minutes=1)
        else:
            return moment
    return None


def _day_matches(of_month: str, of_week: str, moment: datetime) -> bool:
    weekday = moment.isoweekday() % 7 + 1
    last = ((moment.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day
    if of_month == "L":
        return moment.day == last
    if "#" in of_week:
        day, nth = of_week.split("#")
        return weekday == _number(day, _DAYS) and (moment.day - 1) // 7 + 1 == int(nth)
    if of_week.endswith("L") and of_week != "L":
        return weekday == _number(of_week[:-1], _DAYS) and moment.day + 7 > last
    month_ok = of_month in ("*", "?") or moment.day in _field(of_month, 1, 31, {})
    week_ok = of_week in ("*", "?") or weekday in _field(of_week, 1, 7, _DAYS)
    return month_ok and week_ok


def _number(text: str, names: dict[str, int]) -> int:
    if text.upper() in names:
        return names[text.upper()]
    if not text.isdigit():
        raise InvalidSchedule(f"{text!r} is not a number or name that this field takes")
    return int(text)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        elif "-" in span:
            first, last = (_number(side, names) for side in span.split("-", 1))
        else:
            first = _number(span, names)
            last = high if step else first
        values.update(range(first, last + 1, int(step or 1)))
    return values
