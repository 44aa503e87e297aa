"""Times as people write them: `23:00`, `2026-11-25T09:00`, `2h`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from candlefish.catalog.model import Duration
from candlefish.clock import moment_of
from candlefish.errors import InvalidInput

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


def parse_until(text: str, zone: str, now: float, *, at_most: float, limit: str = "") -> float:
    """The moment that a text means, in epoch seconds; `limit` says what may last `at_most` seconds, and what to do instead.

    `23:00` is the next time the environment's clock shows it, `2026-11-25T09:00` a local time, `2h`
    a length of time from now. A local time that the clock skips is the moment of the jump.

    Raises
    ------
    InvalidInput
        It is none of these, is over, or lies further ahead than `at_most` seconds.
    """
    moment = _moment(text.strip(), ZoneInfo(zone), now)
    if moment <= now:
        raise InvalidInput(f"{text!r} is over already; name a time to come, or a length of time like 2h")
    if moment - now > at_most:
        raise InvalidInput(
            f"{text!r} is {(moment - now) / 86400:.1f} days ahead; {limit or f'at most {Duration(at_most)} are taken'}"
        )
    return moment


def _moment(text: str, zone: ZoneInfo, now: float) -> float:
    if match := _CLOCK.fullmatch(text):
        hour, minute = int(match[1]), int(match[2])
        if hour <= 23 and minute <= 59:
            today = datetime.fromtimestamp(now, zone).replace(
                hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None
            )
            # A clock that is put back shows a time twice.
            days = (today, today + timedelta(days=1))
            moments = {
                moment for day in days for moment in (moment_of(day, zone), moment_of(day, zone, fold=1))
            }
            return min(moment for moment in moments if moment > now)
    try:
        return now + Duration.parse(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time; write it like 23:00, 2026-11-25T09:00 or 2h (local to {zone.key})"
        ) from None
    return moment.timestamp() if moment.tzinfo else moment_of(moment, zone)
