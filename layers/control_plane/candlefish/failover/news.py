"""What people are told of a failover: the events on the bus, with words that any channel can show."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.failover.model import FailoverEntry, Run

# Kind of entry -> title and tone. Entries of other kinds are no news.
WORDS: dict[str, tuple[str, str]] = {
    "requested": ("Failover of {target} in {environment} was asked for", "warning"),
    "approval_requested": ("Failover of {target} in {environment} asks for a risk by name", "warning"),
    "approved": ("Failover of {target} in {environment} was approved", "info"),
    "resumed": ("Failover of {target} in {environment} goes on", "info"),
    "stopped": ("Failover of {target} in {environment} STOPPED", "bad"),
    "given_up": ("Failover of {target} in {environment} was given up", "warning"),
    "abandoned": ("Failover of {target} in {environment} is undone", "info"),
    "done": ("Failover of {target} in {environment} is done", "good"),
}


def failover_event(run: Run, entry: FailoverEntry) -> tuple[str, dict[str, Any]] | None:
    """The event of an entry (type, detail); None for what is no news."""
    words = WORDS.get(entry.kind)
    if words is None:
        return None
    title, tone = words
    if entry.kind == "requested" and run.open_questions:
        title += " and waits for approval"
    detail = {
        **msgspec.to_builtins(entry),
        "failover": run.id,
        "environment": run.environment,
        "target": run.target,
        "plan": run.plan,
        "to": run.to,
        "status": run.status,
        "requested_by": run.requested_by,
        "title": title.format(target=run.target, environment=run.environment),
        "tone": tone,
        "command": _command(run, entry),
    }
    return f"failover.{entry.kind}", detail


def _command(run: Run, entry: FailoverEntry) -> str:
    """What to type next."""
    if run.status == "awaiting_approval":
        risks = "".join(f" --accept {q}" for q in run.open_questions if q != "go")
        return f"candlefish failover {run.target} -e {run.environment} --approve{risks}"
    if entry.kind == "stopped":
        return f"candlefish failover {run.target} -e {run.environment} --kind {run.plan} --to {run.to} --reason ..."
    return f"candlefish recovery report {run.target} -e {run.environment}"
