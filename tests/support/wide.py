"""A release whose every word is wide, combining, joined or hostile: what a terminal must have in the cells that we count."""

from __future__ import annotations

from msgspec.structs import replace

from candlefish.views.model import EntryView, ReleaseView, Who
from tests.support.views import HOSTILE, NOW, release_canary

WIDE = "日本語の理由 한국어 e\u0301tude \uff57\uff49\uff44\uff45 👩\u200d👩\u200d👧 ⚠\ufe0f naïve ─●"


def view() -> ReleaseView:
    """A canary that says so."""
    entries = tuple(
        EntryView(NOW - n, "judged", word, "info", f"{text} {n}", Who(text))
        for n, (word, text) in enumerate([("日本語", WIDE), ("judged", HOSTILE), ("e\u0301tude", WIDE)])
    )
    return replace(
        release_canary(), says=WIDE, tone="good", reason=WIDE, timeline=entries, then=WIDE, left=()
    )
