"""The daily audit of backups; its findings become signals."""

from __future__ import annotations

from typing import Any

from candlefish.backups.auditing import run_audit
from candlefish.bootstrap import recovery as wire
from candlefish.handler import handler


@handler
def lambda_handler(event: Any) -> dict[str, int]:
    report = run_audit(
        environment=wire.environment(),
        catalog=wire.catalog(),
        reader=wire.backups(),
        reports=wire.drills(),
        teller=wire.teller(),
        there=wire.stable_there(),
        now=wire.now,
    )
    counts = {"pass": 0, "fail": 0, "unknown": 0}
    for finding in report.findings:
        counts[finding.verdict] += 1
    return counts
