"""Compare every record with the world and put right what nobody else will."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, logger
from candlefish.release.reconcile import Finding, reconcile

RECORDS, RULES, JOURNAL, EXECUTIONS = wire.records(), wire.rules(), wire.journal(), wire.executions()


@handler
def lambda_handler(event: Any) -> list[Finding]:
    found = reconcile(records=RECORDS, rules=RULES, executions=EXECUTIONS, journal=JOURNAL, now=wire.now)
    for finding in found:
        logger.warning("%s: %s", finding.kind, finding.reason, extra={"found": finding.service})
    return found
