"""How the demonstration draws a service and its release while it runs, from what it reads for its claims. Pure.

What people see of an environment is drawn from the read model (`cli.screen`).
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.model import SLOTS, Hold
from candlefish.service.record import ServiceRecord
from cli.screen.clock import utc

STATUS_STYLE = {
    "running": "cyan",
    "held": "yellow",
    "awaiting_approval": "yellow",
    "promoted": "green",
    "rolling_back": "red",
    "rolled_back": "red",
    "refused": "red",
}
KIND_STYLE = {
    "promoted": "green",
    "approved": "green",
    "ready": "green",
    "shifted": "bold cyan",
    "judged": "blue",
    "held": "yellow",
    "experiment": "bold yellow",
    "experiment_ended": "yellow",
    "approval_requested": "yellow",
    "denied": "red",
    "refused": "red",
    "rolling_back": "bold red",
    "rolled_back": "red",
    "superseded": "magenta",
}
BAR = 30


def service_view(record: ServiceRecord, now: float) -> RenderableType:
    """A service's slots with their versions and shares of the traffic."""
    table = Table(box=None, pad_edge=False)
    for column in ("SLOT", "STATE", "VERSION", "TRAFFIC", ""):
        table.add_column(column, justify="right" if column == "TRAFFIC" else "left")
    for slot in SLOTS:
        each = record.slots[slot]
        share = record.desired[slot]
        version = each.version.short if each.version else "-"
        if each.incoming:
            version += f" -> {each.incoming.short}"
        bar = Text("█" * round(BAR * share / 100), style=slot)
        table.add_row(
            slot, each.state + ("" if each.running else " (no capacity)"), version, f"{share}%", bar
        )
    lines: list[RenderableType] = [
        Text(f"{record.service} in {record.environment}, generation {record.generation}", style="bold"),
        table,
    ]
    if record.quarantine:
        lines.append(
            Text(f"QUARANTINE: {record.quarantine.reason}; see candlefish records verify", "bold red")
        )
    if record.holder:
        lines.append(Text(f"held by {record.holder.release}", style="cyan"))
    if record.window_until > now:
        lines.append(Text(f"rollback window open for {record.window_until - now:.0f} s more", style="cyan"))
    lines += [Text(*_hold(hold)) for hold in record.holds]
    return Group(*lines)


def _hold(hold: Hold) -> tuple[str, str]:
    """A hold as a line, and its style."""
    told = {
        "": "",
        "wanted": " (an experiment may answer it)",
        "answered": " (answered by an experiment: it is not the canary; it stops nothing)",
    }[hold.trial]
    return f"HOLD {hold.key}: {hold.reason}{told}", "dim" if hold.trial == "answered" else "yellow"


def release_view(release: Release, entries: Sequence[ReleaseEntry]) -> RenderableType:
    """A release's head and its timeline, oldest first, times relative to its start."""
    head = Text.assemble(
        (release.id, "bold"),
        f"  {release.version.short} of {release.service} to {release.environment}  ",
        (release.status.replace("_", " "), STATUS_STYLE[release.status]),
        f"\n{release.reason} (asked for by {release.requested_by}, {utc(release.started_at)})",
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="dim")
    table.add_column()
    table.add_column(overflow="fold")
    for entry in entries:
        by = f" [{entry.by}]" if entry.by not in ("control-plane", "judge") else ""
        by += _question(entry)
        table.add_row(
            f"+{max(entry.at - release.started_at, 0):.1f}s",
            Text(entry.kind, style=KIND_STYLE.get(entry.kind, "")),
            Text(entry.reason + by + _changed(entry)),
        )
    return Group(head, table)


def _changed(entry: ReleaseEntry) -> str:
    """What a deploy changed in the cluster, a line each."""
    return "".join(f"\n  {line}" for line in entry.evidence.get("changed", ()))


def _question(entry: ReleaseEntry) -> str:
    """The id of the question that an entry asks, which an answer has to name."""
    return f" (question {entry.evidence['question']})" if "question" in entry.evidence else ""
