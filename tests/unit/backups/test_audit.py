"""The backup audit on a set of worlds: exactly the right findings, unknown where it cannot read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.backups.audit_backups import audit_backups
from candlefish.backups.decide import compare_findings
from candlefish.backups.model import (
    AuditFinding,
    AuditReport,
    Backups,
    BackupSignal,
    BucketReplication,
    CacheBackups,
    Certificate,
    CopyOfBackup,
    DatabaseBackups,
    SecretState,
    ServiceVersions,
)
from candlefish.backups.news import finding_signals
from candlefish.backups.rules import judge_backups
from candlefish.catalog.model import Duration, Environment
from candlefish.service.model import Version
from lab.memory.backups import MemoryDrills
from lab.memory.events import MemoryEvents
from lab.memory.service import MemoryStableVersions
from tests.support.backups import FakeBackupReader
from tests.support.failover.catalog import AWAY, ENVIRONMENT
from tests.support.service import image

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
ENV: Environment = msgspec.structs.replace(
    ENVIRONMENT, recovery=msgspec.structs.replace(ENVIRONMENT.recovery, buckets=("uploads",))
)
VERSION = Version(image(1), "1.0")

DATABASE = DatabaseBackups(
    retention_days=30,
    encrypted=True,
    snapshot_at=NOW - 5 * HOUR,
    restorable_to=NOW - 240,
    copies=(CopyOfBackup("rds:orders-copy", NOW - 5 * HOUR, True),),
    replica_status="available",
    replica_lag=3.0,
    replica_lag_at=NOW - 60,
)
BUCKET = BucketReplication(regions=(AWAY,), versioned=True, latency=12.0)
SECRET = SecretState(
    replicas={AWAY: ("InSync", "")}, rotates=True, rotation_days=30, rotated_at=NOW - 10 * DAY
)
HEALTHY = Backups(
    databases={"main": DATABASE},
    buckets={"uploads": BUCKET},
    secrets={"app/database": SECRET},
    caches={"sessions": CacheBackups(7, NOW - 8 * HOUR)},
    certificates=(Certificate("*.example.org", NOW + 90 * DAY, "ELIGIBLE"),),
    versions={"api": ServiceVersions(VERSION, VERSION)},
)


def change(backups: Backups, part: str, name: str, **changes: Any) -> Backups:
    """The world with one thing in it changed."""
    things = dict(getattr(backups, part))
    things[name] = msgspec.structs.replace(things[name], **changes)
    return msgspec.structs.replace(backups, **{part: things})


def database(**changes: Any) -> Backups:
    return change(HEALTHY, "databases", "main", **changes)


def unreadable(**reasons: str) -> Backups:
    """The healthy world, where the named things could not be read (`database__main`)."""
    world = HEALTHY
    for key, why in reasons.items():
        kind, _, name = key.partition("__")
        parts = {"database": "databases", "bucket": "buckets", "secret": "secrets", "cache": "caches"}
        if kind in parts:
            real = {"app_database": "app/database"}.get(name, name)
            things = {**getattr(world, parts[kind]), real: None}
            world = msgspec.structs.replace(world, **{parts[kind]: things})
            key = f"{kind}/{real}"
        world = msgspec.structs.replace(world, unreadable={**world.unreadable, key: why})
    return world


MAIN = "database/main"
# The world, and exactly what is not well in it: (rule, subject, verdict, words of the reason).
WORLDS: dict[str, tuple[Backups, list[tuple[str, str, str, str]]]] = {
    "healthy": (HEALTHY, []),
    "retention of 7 days": (
        database(retention_days=7),
        [("retention", MAIN, "fail", "keeps backups for 7 days, 30 are promised")],
    ),
    "no cross-region copy": (
        database(copies=()),
        [("recovery-copy", MAIN, "fail", "us-east-1 has no copy of a backup of orders")],
    ),
    "an old cross-region copy in the clear": (
        database(copies=(CopyOfBackup("old", NOW - 40 * HOUR, False),)),
        [
            ("recovery-copy", MAIN, "fail", "is 40.0 h old"),
            ("recovery-copy-encryption", MAIN, "fail", "in us-east-1 is not encrypted"),
        ],
    ),
    "stale point-in-time restore": (
        database(restorable_to=NOW - 2 * HOUR),
        [("point-in-time", MAIN, "fail", "can be restored to 2.0 h ago, the RPO is 1.0 h")],
    ),
    "no snapshot": (database(snapshot_at=0.0), [("snapshot-age", MAIN, "fail", "orders has no snapshot")]),
    "an old snapshot, not encrypted": (
        database(snapshot_at=NOW - 27 * HOUR, encrypted=False),
        [
            ("encryption", MAIN, "fail", "are not encrypted"),
            ("snapshot-age", MAIN, "fail", "is 27.0 h old, 26.0 h are allowed"),
        ],
    ),
    "a replica that is behind": (
        database(replica_lag=900.0),
        [("replica-lag", MAIN, "fail", "is available and 900 s behind, 300 s are allowed")],
    ),
    "a replica that says nothing": (
        database(replica_lag_at=NOW - 600),
        [("replica-lag", MAIN, "unknown", "has reported no lag for five minutes")],
    ),
    "no replica": (
        database(replica_status=""),
        [("replica-lag", MAIN, "fail", "there is no replica orders-away")],
    ),
    "a bucket that is not replicated": (
        change(HEALTHY, "buckets", "uploads", regions=()),
        [("bucket-replication", "bucket/uploads", "fail", "is replicated to no region")],
    ),
    "a bucket whose replication fails": (
        change(HEALTHY, "buckets", "uploads", failed=3.0),
        [("bucket-replication-lag", "bucket/uploads", "fail", "3 objects failed")],
    ),
    "a bucket that is late": (
        change(HEALTHY, "buckets", "uploads", latency=4000.0),
        [("bucket-replication-lag", "bucket/uploads", "fail", "the newest took 4000 s")],
    ),
    "a bucket without replication metrics": (
        change(HEALTHY, "buckets", "uploads", latency=None),
        [("bucket-replication-lag", "bucket/uploads", "unknown", "has no replication metrics")],
    ),
    "a secret replica out of sync": (
        change(HEALTHY, "secrets", "app/database", replicas={AWAY: ("Failed", "KMS key is disabled")}),
        [("secret-replica", "secret/app/database", "fail", "in us-east-1 is Failed: KMS key is disabled")],
    ),
    "a secret replica that is being written": (
        change(HEALTHY, "secrets", "app/database", replicas={AWAY: ("InProgress", "")}),
        [("secret-replica", "secret/app/database", "unknown", "is InProgress")],
    ),
    "a secret without a replica or a rotation": (
        change(HEALTHY, "secrets", "app/database", replicas={}, rotates=False),
        [
            ("secret-replica", "secret/app/database", "fail", "is missing"),
            ("secret-rotation", "secret/app/database", "fail", "is not rotated"),
        ],
    ),
    "a secret whose rotation is overdue": (
        change(HEALTHY, "secrets", "app/database", rotated_at=NOW - 40 * DAY),
        [
            (
                "secret-rotation",
                "secret/app/database",
                "fail",
                "was rotated 40 days ago, every 30 days are set",
            )
        ],
    ),
    "a cache without snapshots": (
        change(HEALTHY, "caches", "sessions", retention_days=0, snapshot_at=0.0),
        [("cache-snapshot", "cache/sessions", "fail", "sessions has no snapshot")],
    ),
    "a certificate that ends soon": (
        msgspec.structs.replace(
            HEALTHY, certificates=(Certificate("api.example.org", NOW + 6 * DAY, "INELIGIBLE"),)
        ),
        [("certificate", "certificate/api.example.org", "fail", "ends in 6 days")],
    ),
    "a certificate that ended": (
        msgspec.structs.replace(HEALTHY, certificates=(Certificate("api.example.org", NOW - DAY),)),
        [("certificate", "certificate/api.example.org", "fail", "ended")],
    ),
    "a version the recovery region does not know": (
        change(HEALTHY, "versions", "api", there=None),
        [("stable-version", "service/api", "fail", "1.0 of api is stable here, us-east-1 knows none")],
    ),
    "the database unreadable": (
        unreadable(database__main="access denied"),
        [
            (rule, MAIN, "unknown", "access denied")
            for rule in (
                "encryption",
                "point-in-time",
                "recovery-copy",
                "replica-lag",
                "retention",
                "snapshot-age",
            )
        ],
    ),
    "the recovery region unreadable": (
        msgspec.structs.replace(
            HEALTHY, unreadable={f"{MAIN}/copies": "no answer", f"{MAIN}/replica": "no answer"}
        ),
        [
            ("recovery-copy", MAIN, "unknown", "copies in us-east-1 cannot be read: no answer"),
            ("replica-lag", MAIN, "unknown", "orders-away cannot be read: no answer"),
        ],
    ),
    "everything else unreadable": (
        msgspec.structs.replace(
            unreadable(bucket__uploads="x", secret__app_database="y", cache__sessions="z", certificates="w"),
            certificates=None,
            versions={"api": None},
        ),
        [
            ("bucket-replication", "bucket/uploads", "unknown", "x"),
            ("cache-snapshot", "cache/sessions", "unknown", "z"),
            ("certificate", "certificates", "unknown", "w"),
            ("secret-replica", "secret/app/database", "unknown", "y"),
            ("secret-rotation", "secret/app/database", "unknown", "y"),
            ("stable-version", "service/api", "unknown", "nobody looked"),
        ],
    ),
    "nobody looked": (
        Backups(),
        [
            ("bucket-replication", "bucket/uploads", "unknown", "nobody looked"),
            ("cache-snapshot", "cache/sessions", "unknown", "nobody looked"),
            ("encryption", MAIN, "unknown", "nobody looked"),
            ("point-in-time", MAIN, "unknown", "nobody looked"),
            ("recovery-copy", MAIN, "unknown", "nobody looked"),
            ("replica-lag", MAIN, "unknown", "nobody looked"),
            ("retention", MAIN, "unknown", "nobody looked"),
            ("snapshot-age", MAIN, "unknown", "nobody looked"),
        ],
    ),
}


@pytest.mark.parametrize("world", WORLDS)
def test_finds_exactly_what_is_not_well(world: str) -> None:
    backups, expected = WORLDS[world]
    found = [f for f in judge_backups(backups, ENV, NOW) if f.verdict != "pass"]
    assert [(f.rule, f.subject, f.verdict) for f in found] == [e[:3] for e in expected]
    for finding, (_, _, _, words) in zip(found, expected, strict=True):
        assert words in finding.reason
        assert finding.fix


def test_a_healthy_world_passes_every_rule() -> None:
    findings = judge_backups(HEALTHY, ENV, NOW)
    assert {f.verdict for f in findings} == {"pass"}
    assert len(findings) == 15


def test_only_production_promises_copies_in_the_recovery_region() -> None:
    staging = msgspec.structs.replace(ENV, production=False)
    rules = {f.rule for f in judge_backups(HEALTHY, staging, NOW)}
    assert not rules & {"recovery-copy", "recovery-copy-encryption", "secret-replica"}


def without_standby(environment: Environment) -> Environment:
    recovery = msgspec.structs.replace(environment.recovery, standby=False)
    return msgspec.structs.replace(environment, recovery=recovery)


def test_production_without_a_control_plane_standing_by_is_one_finding() -> None:
    nobody = msgspec.structs.replace(HEALTHY, versions={})
    (finding,) = [f for f in judge_backups(nobody, without_standby(ENV), NOW) if f.verdict != "pass"]
    assert (finding.rule, finding.subject, finding.verdict) == ("standby", f"region/{AWAY}", "fail")
    assert "nothing tells us-east-1 which versions are stable" in finding.reason
    assert "standby: true" in finding.fix


def test_other_environments_promise_no_control_plane_elsewhere() -> None:
    staging = without_standby(msgspec.structs.replace(ENV, production=False))
    nobody = msgspec.structs.replace(HEALTHY, versions={})
    assert {f.verdict for f in judge_backups(nobody, staging, NOW)} == {"pass"}


@given(
    retention=st.integers(0, 40),
    age=st.floats(0, 100 * HOUR),
    behind=st.floats(0, 100 * HOUR),
    lag=st.one_of(st.none(), st.floats(0, 1000)),
)
def test_agrees_with_the_policy_whatever_the_numbers(
    retention: int, age: float, behind: float, lag: float | None
) -> None:
    world = database(
        retention_days=retention, snapshot_at=NOW - age, restorable_to=NOW - behind, replica_lag=lag
    )
    verdicts = {f.rule: f.verdict for f in judge_backups(world, ENV, NOW) if f.subject == MAIN}
    assert (verdicts["retention"] == "pass") is (retention >= 30)
    assert (verdicts["snapshot-age"] == "pass") is (NOW - (NOW - age) <= Duration.parse("26h"))
    assert (verdicts["point-in-time"] == "pass") is (NOW - (NOW - behind) <= 3600)
    assert verdicts["replica-lag"] == ("unknown" if lag is None else "pass" if lag <= 300 else "fail")


# --- from day to day ------------------------------------------------------------------------


class Days:
    """An audit that runs every day: its report, the bus, and what the recovery region knows."""

    def __init__(self) -> None:
        self.reports = MemoryDrills()
        self.there = MemoryStableVersions()
        self.at = NOW

    def run(self, world: Backups, after: float = DAY) -> list[BackupSignal]:
        self.at += after
        events = MemoryEvents()
        audit_backups(
            environment=ENV,
            reader=FakeBackupReader(world),
            reports=self.reports,
            events=events,
            there=self.there,
            now=lambda: self.at,
        )
        assert all(kind == "finding" for kind, _ in events.published)
        return [msgspec.convert(detail, BackupSignal) for _, detail in events.published]


def moved(world: Backups, by: float) -> Backups:
    """The same world some time later: snapshots and all are as old as before."""
    text = msgspec.json.encode(world)
    later = msgspec.to_builtins(msgspec.json.decode(text, type=Backups))

    def shift(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: shift(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [shift(v) for v in value]
        return value + by if isinstance(value, float) and value > NOW / 2 else value

    return msgspec.convert(shift(later), Backups)


def test_tells_a_finding_each_day_under_one_identity_and_when_it_is_over() -> None:
    days = Days()
    bad = database(retention_days=7)
    assert days.run(moved(HEALTHY, DAY)) == []
    (first,) = days.run(moved(bad, 2 * DAY))
    (second,) = days.run(moved(bad, 3 * DAY))
    (third,) = days.run(moved(HEALTHY, 4 * DAY))
    assert (first.status, second.status, third.status) == ("firing", "firing", "resolved")
    assert first.labels == second.labels == third.labels
    assert first.started_at == second.started_at == third.started_at == NOW + 2 * DAY
    assert third.ended_at == NOW + 4 * DAY
    assert days.run(moved(HEALTHY, 5 * DAY)) == []


def test_a_subject_that_leaves_the_catalog_is_resolved() -> None:
    before = AuditReport(
        "production", NOW, (AuditFinding("retention", "database/gone", "fail", "x", since=NOW - DAY),)
    )
    (signal,) = finding_signals((), before, "production", NOW)
    assert (signal.status, signal.summary, signal.started_at) == (
        "resolved",
        "it is no longer declared",
        NOW - DAY,
    )


def test_a_verdict_keeps_the_time_since_when_it_stands() -> None:
    first = compare_findings([AuditFinding("r", "s", "fail", "x")], None, NOW)
    again = compare_findings([AuditFinding("r", "s", "fail", "y")], AuditReport("e", NOW, first), NOW + 5)
    other = compare_findings([AuditFinding("r", "s", "unknown", "y")], AuditReport("e", NOW, first), NOW + 5)
    assert (again[0].since, other[0].since) == (NOW, NOW + 5)


def test_writes_the_stable_versions_the_recovery_region_missed() -> None:
    days = Days()
    days.run(moved(change(HEALTHY, "versions", "api", there=None), DAY))
    assert days.there.known == {"api": VERSION}


def test_a_late_backup_never_looks_like_a_database_that_is_down() -> None:
    days = Days()
    told = days.run(moved(database(snapshot_at=1.0, restorable_to=1.0), DAY))
    assert told
    for signal in told:
        assert not {"database", "cache", "service", "DBInstanceIdentifier"} & signal.labels.keys()


def test_signals_takes_a_finding_as_the_audit_tells_it() -> None:
    from candlefish.signals.sources import from_event

    days = Days()
    (told,) = days.run(moved(database(retention_days=7), DAY))
    event = {"detail-type": "finding", "time": "2026-11-24T06:00:00Z", "detail": msgspec.to_builtins(told)}
    (alert,) = from_event(event, NOW + 2 * DAY).alerts
    assert (alert.status, alert.labels["alertname"]) == ("firing", "backup-retention")
