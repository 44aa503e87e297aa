"""Whether we could recover, as `recovery` prints it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any

from candlefish.views.model import EntryView, RecoveryView, RunView
from cli.screen.cells import Line, Span, clean, line, paragraph
from cli.screen.clock import day_and_clock, lasting
from cli.screen.release import SIGNS

# Lines of one sentence at most.
MOST = 4
_VERDICTS = {"fail": "bad", "unknown": "unknown", "pass": "good"}


def recovery_lines(
    view: RecoveryView, width: int, now: float, zone: tzinfo | None, *, target: str = ""
) -> list[Line]:
    """What holds, what is promised and measured, then drills, failovers and the newest audit, newest first.

    With a `target` its failovers, and the timeline of the newest.
    """
    sign, style = SIGNS[view.tone]
    lines = paragraph(view.says, width, MOST, style, first=f"{sign} ", then="  ")
    for each in view.objectives:
        sign, style = SIGNS[each.tone]
        lines += paragraph(f"{each.what}: {each.says}", width, MOST, style, first=f"{sign} ", then="  ")
    runs = failovers_of(view, target) if target else view.runs
    for number, run in enumerate(runs):
        lines += [(), *_run(run, width, now, zone)]
        if target and not number:
            lines += timeline_lines(run.timeline, width, now, zone)
    if target and not runs:
        lines += [(), line(f"no failover of {clean(target)} is among the newest")]
    return lines


def failovers_of(view: RecoveryView, target: str) -> tuple[RunView, ...]:
    """The failovers of a target, newest first."""
    return tuple(run for run in view.runs if run.kind == "failover" and run.target == target)


def _run(run: RunView, width: int, now: float, zone: tzinfo | None) -> list[Line]:
    sign, style = SIGNS[run.tone]
    said = f"{day_and_clock(run.started_at, zone, now)}  {run.kind} of {run.target}: {run.says}"
    lines = paragraph(said, width, MOST, style, first=f"{sign} ", then="    ")
    if facts := "; ".join(_facts(run)):
        lines += paragraph(facts, width, MOST, "dim", first="    ", then="      ")
    return lines if run.kind == "audit" else [*lines, line("    ", Span(clean(run.id), "dim"))]


def _facts(run: RunView) -> Iterable[str]:
    told = run.evidence
    if told.get("plan"):
        yield f"plan {told['plan']}" + (f" to {told['to']}" if told.get("to") else "")
    if told.get("snapshot"):
        yield f"snapshot {told['snapshot']}"
    if run.rto is not None:
        yield f"RTO {lasting(run.rto)}"
    if told.get("execute") is not None:
        took = (lasting(told.get(each) or 0.0) for each in ("detect", "decide", "execute"))
        yield "detection took {}, people {}, the machine {}".format(*took)
    if run.rpo is not None:
        source = f", from {told['rpo_from']}" if told.get("rpo_from") else ""
        yield f"RPO at most {lasting(run.rpo)}{source}"
    if told.get("by"):
        yield f"by {told['by']}"


def timeline_lines(entries: Iterable[EntryView], width: int, now: float, zone: tzinfo | None) -> list[Line]:
    """What happened in a failover, newest first, with all its words."""
    lines: list[Line] = []
    for entry in entries:
        by = f" ({entry.by.name})" if entry.by.name != "control-plane" else ""
        said = f"{day_and_clock(entry.at, zone, now)}  {entry.word}: {entry.says}{by}"
        lines += paragraph(said, width, 60, first="    ", then="      ")
    return lines


def audit_of(view: RecoveryView) -> RunView | None:
    """The newest audit of the backups; None where there was none."""
    return next((run for run in view.runs if run.kind == "audit"), None)


def audit_found(
    audit: RunView, width: int, now: float, zone: tzinfo | None, *, everything: bool = False
) -> list[Line]:
    """What an audit found: what is not well with what to do, `everything` that passed as well."""
    sign, style = SIGNS[audit.tone]
    at = day_and_clock(audit.started_at, zone, now)
    lines = paragraph(
        f"backups of {audit.target}, audited {at}: {audit.says}",
        width,
        MOST,
        style,
        first=f"{sign} ",
        then="  ",
    )
    wrong, passed = audit.evidence.get("findings", ()), audit.evidence.get("passed", ())
    for found in (*wrong, *(passed if everything else ())):
        lines += _finding(found, width)
    return [*lines, line(f"{len(passed)} of {len(wrong) + len(passed)} rules pass")]


def _finding(found: Mapping[str, Any], width: int) -> list[Line]:
    sign, style = SIGNS[_VERDICTS[str(found.get("verdict", "pass"))]]
    said = f"{found['rule']} of {found['subject']}: {found['reason']}"
    lines = paragraph(said, width, MOST, style, first=f"{sign} ", then="    ")
    if found.get("fix"):
        lines += paragraph(str(found["fix"]), width, MOST, "dim", first="    ", then="      ")
    return lines
