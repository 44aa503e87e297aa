"""The fewest happenings with which a day still fails."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lab.simulator.plan import Day


def shrunk(day: Day, fails: Callable[[Day], bool]) -> Day:
    """A day that still fails and of whose happenings none can be left out.

    `fails` runs a day; the one given fails. Leaves out halves first, then quarters, at last one at a time.
    """
    size = max(1, len(day.happenings) // 2)
    while True:
        at = 0
        smaller = False
        while at < len(day.happenings):
            left = day.happenings[:at] + day.happenings[at + size :]
            without = msgspec.structs.replace(day, happenings=left)
            if fails(without):
                day, smaller = without, True
            else:
                at += size
        if size == 1 and not smaller:
            return day
        size = max(1, size // 2)
