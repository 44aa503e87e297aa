"""What is read and found of backups, and what crosses the drill's machine. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from candlefish.bounds import Address, Counter, MaybeId, MaybeName, Title
from candlefish.service.model import Version


class CopyOfBackup(msgspec.Struct, frozen=True):
    """A copy of a backup in the recovery region."""

    identifier: str
    at: float
    encrypted: bool


class DatabaseBackups(msgspec.Struct, frozen=True):
    """What is kept of one database. `restorable_to` is how far point-in-time restore reaches."""

    retention_days: int = 0
    encrypted: bool = False
    snapshot_at: float = 0.0
    restorable_to: float = 0.0
    # Newest first.
    copies: tuple[CopyOfBackup, ...] = ()
    replica_status: str = ""
    replica_lag: float | None = None
    replica_lag_at: float = 0.0


class BucketReplication(msgspec.Struct, frozen=True):
    """Replication of one bucket. `regions` are where its enabled rules lead; the latency is the newest known."""

    regions: tuple[str, ...] = ()
    versioned: bool = False
    latency: float | None = None
    failed: float = 0.0


class SecretState(msgspec.Struct, frozen=True):
    """One secret. `replicas` maps region to (status, message)."""

    replicas: dict[str, tuple[str, str]] = {}
    rotates: bool = False
    rotation_days: int = 0
    rotated_at: float = 0.0


class CacheBackups(msgspec.Struct, frozen=True):
    """Snapshots of one replication group."""

    retention_days: int = 0
    snapshot_at: float = 0.0


class Certificate(msgspec.Struct, frozen=True):
    """A certificate in ACM."""

    domain: str
    ends_at: float
    renewal: str = ""


class ServiceVersions(msgspec.Struct, frozen=True):
    """A service's stable version where it runs, and what the recovery region knows of it."""

    here: Version | None = None
    there: Version | None = None


class Backups(msgspec.Struct, frozen=True):
    """Everything the audit reads. A thing that could not be read is None, and `unreadable` says why.

    Keys of `unreadable` are `<kind>/<name>`, or `<kind>/<name>/<part>` for a part of it.
    """

    databases: dict[str, DatabaseBackups | None] = {}
    buckets: dict[str, BucketReplication | None] = {}
    secrets: dict[str, SecretState | None] = {}
    caches: dict[str, CacheBackups | None] = {}
    certificates: tuple[Certificate, ...] | None = ()
    versions: Mapping[str, ServiceVersions | None] = {}
    unreadable: dict[str, str] = {}


# --- what the audit finds -----------------------------------------------------------------------

AuditVerdict = Literal["pass", "fail", "unknown"]


class AuditFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule says of a subject. `since` is when it first was so, epoch seconds."""

    rule: str
    subject: str
    verdict: AuditVerdict
    reason: str
    fix: str = ""
    evidence: dict[str, Any] = {}
    since: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.rule}/{self.subject}"


class AuditReport(msgspec.Struct, frozen=True):
    """The newest audit of an environment."""

    environment: str
    at: float
    findings: tuple[AuditFinding, ...]

    def counts(self) -> dict[str, int]:
        """How many findings there are of each verdict."""
        found = [finding.verdict for finding in self.findings]
        return {verdict: found.count(verdict) for verdict in ("pass", "fail", "unknown")}


class BackupSignal(msgspec.Struct, frozen=True):
    """What is not well, as the signals capability takes it from the bus (`finding` events)."""

    name: str
    status: Literal["firing", "resolved"]
    started_at: float
    ended_at: float
    labels: dict[str, str]
    summary: str


# --- drills -------------------------------------------------------------------------------------

# A scratch instance has a name and a tag of its own; nothing without both is ever deleted.
PREFIX = "candlefish-drill-"
TAG = "candlefish:drill"


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot. `at` is when it was taken, epoch seconds."""

    identifier: str
    at: float
    encrypted: bool = False


class ScratchInstance(msgspec.Struct, frozen=True):
    """The scratch instance as RDS shows it. `drill` is its tag; `secret` its password's secret."""

    identifier: str
    status: str
    drill: str
    # The environment whose drill made it, by its tag.
    environment: str = ""
    address: str = ""
    secret: str = ""
    created_at: float = 0.0


class DrillStepInput(msgspec.Struct, frozen=True):
    """`list` names the databases to drill; `begin` and `move` are about one drill; `sweep` cleans up."""

    do: Literal["list", "begin", "move", "sweep"]
    id: MaybeId = ""
    database: MaybeName = ""
    requested_by: Title = "schedule"


class DrillProgress(msgspec.Struct, frozen=True):
    """How far a drill is; the machine moves it again after `look_again` seconds, or not where that is None."""

    id: str
    outcome: str
    reason: str
    done: bool
    look_again: float | None = None


# Names of databases, names of scratch instances that were deleted, or how far a drill is.
DrillAnswer = list[str] | DrillProgress


# --- the probe ----------------------------------------------------------------------------------


class ProbeRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the probe is asked: `beat` goes to every database of the region; the others name one, and the host to ask."""

    do: Literal["beat", "begin-epoch", "inspect"]
    database: MaybeName = ""
    host: Address = ""
    epoch: Counter = 0
    # Secret with the master password of a scratch instance.
    secret: Address = ""


class ProbeTarget(msgspec.Struct, frozen=True):
    """Where to connect: the secret that names user, database and port, and what it does not say."""

    secret: str
    host: str = ""
    # A secret that has only user and password, as RDS makes them.
    password_from: str = ""
