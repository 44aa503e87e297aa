"""Findings of the backup audit, kept from day to day, and told as signals."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

Verdict = Literal["pass", "fail", "unknown"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule says of a subject. `since` is when it first was so, epoch seconds."""

    rule: str
    subject: str
    verdict: Verdict
    reason: str
    fix: str = ""
    evidence: dict[str, Any] = {}
    since: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.rule}/{self.subject}"


class Signal(msgspec.Struct, frozen=True):
    """A finding as the signals capability takes it from the bus (`finding` events)."""

    name: str
    status: Literal["firing", "resolved"]
    started_at: float
    ended_at: float
    labels: dict[str, str]
    summary: str


class Report(msgspec.Struct, frozen=True):
    """The newest audit of an environment."""

    environment: str
    at: float
    findings: tuple[Finding, ...]

    def counts(self) -> dict[str, int]:
        """How many findings there are of each verdict."""
        found = [finding.verdict for finding in self.findings]
        return {verdict: found.count(verdict) for verdict in ("pass", "fail", "unknown")}


class Reports(Protocol):
    """Where the newest audit is kept."""

    def latest(self) -> Report | None:
        """The newest audit; None before the first."""

    def store(self, report: Report) -> None:
        """Keep an audit in place of the one before."""


class Teller(Protocol):
    """The bus, where signals are taken from."""

    def tell(self, signals: list[Signal]) -> None:
        """Publish every signal.

        Raises
        ------
        Unavailable
            The bus did not take all of them.
        """


def compared(findings: list[Finding], before: Report | None, now: float) -> tuple[Finding, ...]:
    """The findings, each with the time since when its verdict has been what it is."""
    known = {f.key: f for f in before.findings} if before else {}
    return tuple(
        msgspec.structs.replace(
            f,
            since=known[f.key].since if f.key in known and known[f.key].verdict == f.verdict else now,
        )
        for f in findings
    )


def signals(
    findings: tuple[Finding, ...], before: Report | None, environment: str, now: float
) -> list[Signal]:
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


def _signal(finding: Finding, environment: str, summary: str, since: float, ended_at: float = 0.0) -> Signal:
    """Labels are the signal's identity: the same while it fires and when it is resolved."""
    return Signal(
        name=f"backup-{finding.rule}",
        status="resolved" if ended_at else "firing",
        started_at=since,
        ended_at=ended_at,
        # Not as `database` or `cache`: a late snapshot must not look like a database that is down.
        labels={"environment": environment, "category": "backup", "about": finding.subject},
        summary=summary,
    )
