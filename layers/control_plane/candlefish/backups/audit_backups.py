"""The daily audit: read, judge, compare with yesterday, tell, keep."""

from __future__ import annotations

from candlefish.backups.decide import compare_findings
from candlefish.backups.model import AuditReport
from candlefish.backups.news import finding_signals, signal_event
from candlefish.backups.ports import AuditReports, BackupReader
from candlefish.backups.rules import judge_backups
from candlefish.catalog.model import Environment
from candlefish.ports import EventPublisher, Now
from candlefish.service.ports import StableVersions


def audit_backups(
    *,
    environment: Environment,
    reader: BackupReader,
    reports: AuditReports,
    events: EventPublisher,
    there: StableVersions | None,
    now: Now,
) -> AuditReport:
    """Audit the backups, tell what is not well, and write forgotten stable versions to the recovery region.

    `there` is None when no control plane stands by in that region; the audit says so.
    The report is kept after it was told: a run that dies in between tells again.

    Raises
    ------
    Throttled, Unavailable
        The bus did not take every signal.
    """
    at = now()
    backups = reader.read()
    before = reports.latest()
    findings = compare_findings(judge_backups(backups, environment, at), before, at)
    report = AuditReport(environment.name, at, findings)
    events.publish_all(
        [signal_event(signal) for signal in finding_signals(findings, before, environment.name, at)]
    )
    for name, known in backups.versions.items():
        if there and known and known.here and not known.here.same_as(known.there):
            there.write(name, known.here, at)
    reports.store(report)
    return report
