"""What an environment costs, as `cost` prints it. Pure; amounts are US dollars of this month."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from candlefish.views.model import CostView
from candlefish.views.words import percentage
from cli.screen.cells import Line, paragraph
from cli.screen.clock import day_and_clock
from cli.screen.release import SIGNS

# Lines of one sentence at most.
MOST = 4


def cost_lines(view: CostView, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """What it comes to, the numbers, what is to be done, and what the forecast rests on."""
    sign, style = SIGNS[view.tone]
    lines = paragraph(f"{view.environment}: {view.says}", width, MOST, style, first=f"{sign} ", then="  ")
    if facts := "; ".join(_facts(view)):
        month = f"{view.month}: " if view.month else ""
        lines += paragraph(f"{month}{facts}", width, MOST, first="    ", then="      ")
    if view.advice and view.advice not in view.says:
        lines += paragraph(view.advice, width, MOST, "dim", first="    ", then="      ")
    for note in view.notes:
        lines += paragraph(note, width, MOST, "dim", first="    ", then="      ")
    if view.at:
        billed = f"as billed until {day_and_clock(view.at, zone, now)}"
        lines += paragraph(billed, width, 1, "dim", first="    ")
    return lines


def _facts(view: CostView) -> Iterable[str]:
    if view.spent is not None:
        yield f"spent {view.spent:,.0f}"
    if view.forecast is not None:
        yield f"forecast {view.forecast:,.0f}"
    if view.likely_low is not None and view.likely_high is not None:
        yield f"likely {view.likely_low:,.0f} to {view.likely_high:,.0f}"
    if view.low is not None and view.high is not None:
        share = f" ({percentage(view.share)} of it)" if view.share is not None else ""
        yield f"target {view.low:,.0f} to {view.high:,.0f}{share}"
    if view.hours_asleep:
        saved = "what that saved is not known" if view.saved is None else f"saved {view.saved:,.0f}"
        yield f"asleep {view.hours_asleep:,.0f} h"
        yield saved
