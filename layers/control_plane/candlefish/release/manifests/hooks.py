"""What Helm's annotations of an object mean for a release. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

HOOK, WEIGHT, DELETES = "helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"
OUTPUT = "helm.sh/hook-output-log-policy"
Moment = Literal["before", "after"]
# Events at which a release runs a Job, and those at which nothing of it ever runs, and why.
RUN = frozenset({"pre-install", "pre-upgrade", "post-install", "post-upgrade"})
NOT_RUN = {
    "test": "is a test of the chart",
    "test-success": "is a test of the chart",
    "test-failure": "is a test of the chart",
    "pre-delete": "runs when the chart is deleted, which no release does",
    "post-delete": "runs when the chart is deleted, which no release does",
    "pre-rollback": "runs when Helm rolls back; a rollback here runs no Job",
    "post-rollback": "runs when Helm rolls back; a rollback here runs no Job",
}


def events_of(document: Any) -> frozenset[str]:
    """The events at which Helm would run an object; none where it is no hook."""
    said = _notes(document).get(HOOK)
    return frozenset(each.strip() for each in str(said).split(",") if each.strip()) if said else frozenset()


def weight_of(document: Any) -> int:
    """Where among its like Helm would run it: the lightest first, 0 where it says nothing that is a number."""
    try:
        return int(str(_notes(document).get(WEIGHT, "0")))
    except ValueError:
        return 0


def why_not_run(document: Any) -> str:
    """Why no release runs this hook; empty when one does, or when it is no hook."""
    events = events_of(document)
    if not events or events & RUN:
        return ""
    known = [NOT_RUN[each] for each in sorted(events) if each in NOT_RUN]
    return known[0] if known else f"is a hook of {', '.join(sorted(events))}, which Helm does not know"


def _notes(document: Any) -> Mapping[str, Any]:
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    notes = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return notes if isinstance(notes, Mapping) else {}
