"""When an environment is awake, and when it takes no releases."""

from __future__ import annotations

from typing import Annotated, Literal

from candlefish.catalog.model.scalars import Day, Duration, Model, Name, text


class Freeze(Model, frozen=True):
    """A window in which releases need break-glass. Times are local to the environment's time zone."""

    # What people call it.
    name: str
    # Local time, like 2026-12-23T00:00.
    start: str
    # Local time; the window ends before it.
    end: str
    # Shown to whoever is refused.
    reason: str


class Calendar(Model, frozen=True):
    """Days that schedules treat as holidays. The loader adds the days of `country` and `ical` to `days`."""

    name: Name
    # Each day's name: "2026-12-25" once, "12-25" every year.
    days: dict[Day, str] = {}
    # ISO 3166-1 code of the country whose public holidays count, like US.
    country: Annotated[str, text("(?:[A-Z]{2})?", "write two capitals, like US")] = ""
    # The state or province, as the `holidays` package names it, like CA.
    subdivision: str = ""
    # An iCalendar file beside calendars.yaml; all-day events, also repeated ones.
    ical: str = ""
    # The last day that `country` and `ical` were expanded for; the loader writes it.
    known_until: str = ""


class Schedule(Model, frozen=True):
    """When a non-production environment is awake. See docs/catalog.md for the rules and what wins."""

    # An IANA time zone, like America/Los_Angeles.
    timezone: str
    # Each one like "Mon-Fri 07:00-20:00", "holidays 10:00-14:00" or "2026-12-24 off".
    awake: tuple[str, ...]
    # Names of calendars.
    holidays: tuple[Name, ...] = ()
    # Whether a release wakes the environment or waits for the morning.
    on_release_while_asleep: Literal["wake", "queue"] = "queue"
    # No override lasts longer than this.
    override_at_most: Duration = Duration(7 * 86400)
