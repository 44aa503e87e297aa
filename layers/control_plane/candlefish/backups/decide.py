"""What a drill does next, what is left over of others, and since when a finding has been so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from candlefish.backups.evidence import data_age, restore_time
from candlefish.backups.model import PREFIX, AuditFinding, AuditReport, ScratchInstance
from candlefish.backups.record import Drill, DrillOutcome
from candlefish.statuses import FINAL, SETTLED

# A drill that takes longer than this has failed, and a scratch instance older than this is left over.
WITHIN = 4 * 3600.0
SETTLE = 120.0
PROBES = 5


class DrillAction(msgspec.Struct, frozen=True):
    """What to do next in a drill."""

    kind: Literal["restore", "manage-password", "probe", "conclude", "delete", "wait", "done"]
    reason: str
    outcome: DrillOutcome = ""


def next_action(drill: Drill, scratch: ScratchInstance | None, now: float) -> DrillAction:
    """What a drill should do now (pure). `scratch` None: there is no such instance."""
    if drill.outcome:
        return _clean_up(drill, scratch)
    if now - drill.started_at > WITHIN:
        return DrillAction("conclude", f"it took longer than {WITHIN / 3600:.0f} hours", "failed")
    if scratch is None:
        if now - drill.restore_asked_at < SETTLE:
            return DrillAction("wait", "the restore was asked for and does not show yet")
        return DrillAction("restore", f"restore {drill.snapshot.identifier} as {drill.scratch}")
    if scratch.drill != drill.id:
        return DrillAction(
            "conclude", f"{drill.scratch} exists and is not of this drill; it was not touched", "failed"
        )
    if scratch.status in FINAL:
        return DrillAction("conclude", f"the restored instance is {scratch.status}", "failed")
    if scratch.status not in SETTLED:
        return DrillAction("wait", f"{drill.scratch} is {scratch.status}")
    if not scratch.secret:
        # The snapshot's own password may have been rotated since it was taken.
        return DrillAction("manage-password", f"let RDS make a password for {drill.scratch}")
    if drill.evidence.get("beat_at") is None:
        if drill.probes >= PROBES:
            return DrillAction("conclude", f"it could not be read: {drill.why}", "failed")
        return DrillAction("probe", f"read the sentinel and every table of {drill.scratch}")
    return DrillAction("conclude", _measured(drill), "passed")


def _clean_up(drill: Drill, scratch: ScratchInstance | None) -> DrillAction:
    if scratch is None or scratch.drill != drill.id:
        return DrillAction("done", "the scratch instance is gone")
    if scratch.status == "deleting":
        return DrillAction("wait", f"{scratch.identifier} is being deleted")
    if scratch.status == "creating":
        return DrillAction("wait", f"{scratch.identifier} cannot be deleted while it is created")
    return DrillAction("delete", f"delete {scratch.identifier}")


def _measured(drill: Drill) -> str:
    age, took = data_age(drill), restore_time(drill)
    return (
        f"{drill.evidence['rows']} rows of {drill.evidence['tables']} tables were read; the data was "
        f"{age:.0f} s old when the snapshot was taken, and usable {took:.0f} s after the restore was asked for"
    )


def left_over(
    scratches: Iterable[ScratchInstance], environment: str, active: set[str], now: float
) -> list[ScratchInstance]:
    """Scratch instances of an environment that no drill of it will delete any more.

    One of another environment is its own drills' affair, and may be under way.
    """
    return [
        s
        for s in scratches
        if s.identifier.startswith(PREFIX)
        and s.environment == environment
        and s.drill
        and s.drill not in active
        and s.status not in ("deleting", "creating")
        and now - s.created_at > SETTLE
    ]


def compare_findings(
    findings: list[AuditFinding], before: AuditReport | None, now: float
) -> tuple[AuditFinding, ...]:
    """The findings, each with the time since when its verdict has been what it is."""
    known = {f.key: f for f in before.findings} if before else {}
    return tuple(
        msgspec.structs.replace(
            f,
            since=known[f.key].since if f.key in known and known[f.key].verdict == f.verdict else now,
        )
        for f in findings
    )
