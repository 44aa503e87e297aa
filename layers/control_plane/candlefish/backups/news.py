"""What is told of backups: signals, one identity each, which the signals capability takes from the bus."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.backups.model import AuditFinding, AuditReport, BackupSignal
from candlefish.backups.record import Drill


def signal_event(signal: BackupSignal) -> tuple[str, dict[str, Any]]:
    """A signal as an event (kind and detail)."""
    return "finding", msgspec.to_builtins(signal)


def finding_signals(
    findings: tuple[AuditFinding, ...], before: AuditReport | None, environment: str, now: float
) -> list[BackupSignal]:
    """What to tell: everything that is not well (each day again), and what has become well."""
    known = {f.key: f for f in before.findings} if before else {}
    told = []
    for finding in findings:
        earlier = known.get(finding.key)
        if finding.verdict != "pass":
            why = "unknown: " if finding.verdict == "unknown" else ""
            fix = f"; {finding.fix}" if finding.fix else ""
            told.append(_signal(finding, environment, f"{why}{finding.reason}{fix}", finding.since))
        elif earlier is not None and earlier.verdict != "pass":
            told.append(_signal(earlier, environment, finding.reason, earlier.since, now))
    # A subject that is gone from the catalog is no longer anybody's problem.
    present = {f.key for f in findings}
    for key, earlier in known.items():
        if key not in present and earlier.verdict != "pass":
            told.append(_signal(earlier, environment, "it is no longer declared", earlier.since, now))
    return told


def _signal(
    finding: AuditFinding, environment: str, summary: str, since: float, ended_at: float = 0.0
) -> BackupSignal:
    """Labels are the signal's identity: the same while it fires and when it is resolved."""
    return BackupSignal(
        name=f"backup-{finding.rule}",
        status="resolved" if ended_at else "firing",
        started_at=since,
        ended_at=ended_at,
        # Not as `database` or `cache`: a late snapshot must not look like a database that is down.
        labels={"environment": environment, "category": "backup", "about": finding.subject},
        summary=summary,
    )


def drill_signal(drill: Drill, now: float) -> BackupSignal:
    """A drill's outcome, under one identity for each database."""
    failed = drill.outcome == "failed"
    return BackupSignal(
        name="backup-drill",
        status="firing" if failed else "resolved",
        started_at=drill.started_at,
        ended_at=0.0 if failed else now,
        labels={
            "environment": drill.environment,
            "category": "backup",
            "about": f"database/{drill.database}",
        },
        summary=f"drill {drill.id} of {drill.snapshot.identifier} {drill.outcome}: {drill.why}",
    )
