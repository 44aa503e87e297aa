"""What the backup audit reads of an environment. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

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
