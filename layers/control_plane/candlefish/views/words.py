"""Numbers, times and lists as people say them: pure, English, plain text.

Sentences of the read model name lengths of time ("7 min"), never clocks: whoever draws them says `clock_words` in the
reader's zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from candlefish.bounds import LAST_MOMENT

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def lasting(seconds: float) -> str:
    """A length of time in one unit: `12 s`, `7 min`, `8 h`, `3 days`."""
    seconds = max(0.0, seconds)
    if seconds < 1.5 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 1.5 * DAY:
        return f"{seconds / HOUR:.0f} h"
    return f"{seconds / DAY:.0f} days"


def spelled(seconds: float) -> str:
    """The same in a sentence: `3 minutes`, `an hour`."""
    number, unit = lasting(seconds).split(" ")
    word = {"s": "second", "min": "minute", "h": "hour", "days": "day"}[unit]
    return many(int(number), word)


def many(number: int, word: str, words: str = "") -> str:
    """`1 request`, `5,020 requests`."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def percentage(share: float) -> str:
    """A share as people say it: `0`, `0.24%`, `21%`."""
    percent = 100 * share
    if percent <= 0:
        return "0%"
    if percent < 0.001:
        return "under 0.001%"
    # As many digits as tell two versions apart, and none of them an exponent.
    return f"{percent:.0f}%" if percent >= 9.95 else f"{percent:.2g}%"


def counted(requests: int, events: int, what: str) -> str:
    """`12 of 5,020 requests failed (0.24%)`; `what` is what is bad about them."""
    if not requests:
        return "no requests"
    told = f"{events:,} of {many(requests, 'request')} {what}"
    return f"{told} ({percentage(events / requests)})" if events else told


def listing(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def clock_words(at: float, zone: str, now: float) -> str:
    """A moment on the reader's clock, with the zone: `14:41 PST`, on another day `Tue 1 Dec 09:00 PST`."""
    if not 0 <= at <= LAST_MOMENT:
        return "?"
    where = _zone(zone)
    local, today = datetime.fromtimestamp(at, where), datetime.fromtimestamp(now, where)
    day = "" if local.date() == today.date() else f"{local:%a} {local.day} {local:%b} "
    return f"{day}{local:%H:%M %Z}"


def left_until(until: float, zone: str, now: float) -> str:
    """`7 min left, until 14:41 PST`; `over since 14:41 PST` when it is."""
    if until <= now:
        return f"over since {clock_words(until, zone, now)}"
    return f"{lasting(until - now)} left, until {clock_words(until, zone, now)}"


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
