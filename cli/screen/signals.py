"""Signals, and who did what, as `signals` and `audit` print them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from candlefish.views.model import AuditLine, AuditPage, SignalsPage, SignalView
from cli.screen.cells import Line, Span, Style, clean, line, paragraph
from cli.screen.clock import day_and_clock, left
from cli.screen.release import SIGNS, older

# Lines of one reason at most.
MOST = 4


def signals_lines(view: SignalsPage, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """Why nothing acts by itself, what is muted and what cools down; then each signal with what was decided, and why."""
    lines: list[Line] = []
    if view.automation_off:
        lines += paragraph(view.automation_off, width, MOST, "bad", first="! ", then="  ")
    for each in view.left:
        said = f"{each.says} ({left(each.until, now, zone)})"
        style: Style = "warning" if each.what == "mute" else "info"
        lines += paragraph(said, width, MOST, style, first="‖ ", then="  ")
    lines += signal_rows(view.signals, width, now, zone)
    if not view.signals:
        lines.append(line("no signals" if view.older else "no signals yet"))
    return [*lines, *older(view.older)]


def signal_rows(signals: Iterable[SignalView], width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """A signal each: when, what was decided about it; below that of what it is, the decision, and why."""
    return [each for signal in signals for each in _signal(signal, width, now, zone)]


def _signal(signal: SignalView, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    sign, style = SIGNS[signal.tone]
    at = day_and_clock(signal.at, zone, now)
    facts = "; ".join([signal.severity, signal.about or signal.subject, signal.decision])
    lines = paragraph(f"{at}  {signal.says}", width, MOST, style, first=f"{sign} ", then="    ")
    lines += paragraph(facts, width, 2, "dim", first="    ", then="      ")
    if signal.reason not in signal.says:
        lines += paragraph(signal.reason, width, MOST, first="    ", then="      ")
    return [*lines, *_release(signal.release)]


def _release(id: str) -> list[Line]:
    """An id on a line of its own, which is never cut."""
    return [line("    ", Span(clean(id), "dim"))] if id else []


def audit_lines(view: AuditPage, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """Who did what, to what and why, newest first."""
    lines = [each for done in view.lines for each in _done(done, width, now, zone)]
    if not view.lines:
        lines.append(line("nothing" if view.older else "nothing has been done yet"))
    return [*lines, *older(view.older)]


def _done(done: AuditLine, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    role = f" ({done.by.role})" if done.by.role else ""
    said = (
        f"{day_and_clock(done.at, zone, now)}  {done.by.name}{role}: {done.word} {done.subject}: {done.says}"
    )
    return [*paragraph(said, width, MOST, then="    "), *_release(done.release)]
