"""Times as people at a terminal read them: how long, and until when by their own clock."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from candlefish.bounds import LAST_MOMENT
from candlefish.views.words import lasting


def moment(at: float, zone: tzinfo | None) -> datetime | None:
    """Epoch seconds in a zone, the machine's where it is None; None for what is no time of ours."""
    if not 0 < at <= LAST_MOMENT:
        return None
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def clock(at: float, zone: tzinfo | None, *, seconds: bool = False) -> str:
    """A time of day, without its day and zone."""
    found = moment(at, zone)
    return "?" if found is None else found.strftime("%H:%M:%S" if seconds else "%H:%M")


def day_and_clock(at: float, zone: tzinfo | None, now: float) -> str:
    """A time of day with its zone; with its day where that is not today's."""
    found, today = moment(at, zone), moment(now, zone)
    if found is None:
        return "?"
    same = today is not None and found.date() == today.date()
    return found.strftime("%H:%M %Z" if same else "%a %d %b %H:%M %Z").strip()


def left(until: float, now: float, zone: tzinfo | None) -> str:
    """How long it lasts still, and until when."""
    if moment(until, zone) is None:
        return "no end known"
    if until <= now:
        return f"over since {day_and_clock(until, zone, now)}"
    return f"{lasting(until - now)} left, until {day_and_clock(until, zone, now)}"


def utc(at: float) -> str:
    """A moment in UTC, for who compares it with a log; a question mark for what is no time of ours."""
    found = moment(at, UTC)
    return "?" if found is None else found.strftime("%Y-%m-%d %H:%M:%SZ")


__all__ = ["clock", "day_and_clock", "lasting", "left", "moment", "utc"]
