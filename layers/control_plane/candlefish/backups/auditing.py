"""The daily audit as a use case: read, judge, compare with yesterday, tell, keep."""

from __future__ import annotations

from typing import Protocol

from candlefish.backups.audit import audit
from candlefish.backups.findings import Report, Reports, Teller, compared, signals
from candlefish.backups.model import Backups
from candlefish.catalog.model import Catalog
from candlefish.failover.ports import StableVersions
from candlefish.ports import Now


class BackupReader(Protocol):
    """Reads what is kept of an environment. Never raises: what cannot be read is said in the answer."""

    def read(self) -> Backups:
        """Everything the audit looks at."""


def run_audit(
    *,
    environment: str,
    catalog: Catalog,
    reader: BackupReader,
    reports: Reports,
    teller: Teller,
    there: StableVersions | None,
    now: Now,
) -> Report:
    """Audit the backups, tell what is not well, and write forgotten stable versions to the recovery region.

    `there` is None when no control plane stands by in that region; the audit says so.
    The report is kept after it was told: a run that dies in between tells again.
    """
    at = now()
    backups = reader.read()
    before = reports.latest()
    findings = compared(audit(backups, catalog.environment(environment), at), before, at)
    report = Report(environment, at, findings)
    teller.tell(signals(findings, before, environment, at))
    for name, known in backups.versions.items():
        if there and known and known.here and not known.here.same_as(known.there):
            there.write(name, known.here, at)
    reports.store(report)
    return report
