"""See more of what happened in a release."""

from __future__ import annotations

from candlefish.views.entries import entry_view
from candlefish.views.look import ENTRIES, unknown_release
from candlefish.views.model import TimelinePage
from candlefish.views.ports import Looking


def see_timeline(release: str, before: str = "", *, looking: Looking) -> TimelinePage:
    """Part of a release's timeline, newest first; `before` is where another part went on.

    Raises
    ------
    UnknownService
        There is no release of that id here.
    InvalidInput
        `before` is none of ours.
    """
    found = looking.history.entries_of(release, ENTRIES, before)
    if not found.entries and not before:
        raise unknown_release(release, looking.environment)
    entries = tuple(entry_view(entry, looking.catalog, looking.environment) for entry in found.entries)
    return TimelinePage(found.older, entries)
