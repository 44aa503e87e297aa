"""Freeze windows: stretches of time in which a release needs break-glass."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from candlefish.catalog.model import Freeze
from candlefish.clock import moment_of


def open_freeze(freezes: Iterable[Freeze], timezone: str, now: float) -> Freeze | None:
    """The freeze window that is open at `now` (epoch seconds), if any.

    Starts and ends are local times like `2026-12-24T00:00` in the environment's zone; the start is
    inside the window, the end is not. They are compared as instants, so a window that spans a
    change of the clocks is as long as it really is.
    """
    zone = ZoneInfo(timezone)
    for freeze in freezes:
        start = moment_of(datetime.fromisoformat(freeze.start), zone)
        end = moment_of(datetime.fromisoformat(freeze.end), zone, fold=1)
        if start <= now < end:
            return freeze
    return None
