"""The backup audit: each promise about backups is a rule over what was read, and says pass, fail or unknown.

A rule never guesses: what could not be read is unknown, with the reason, and an unknown is reported
like a failure. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from candlefish.backups.model import AuditFinding, AuditVerdict, Backups, DatabaseBackups
from candlefish.catalog.model import Environment
from candlefish.catalog.standby import STAND_BY, no_standby
from candlefish.statuses import SERVING

DAY = 86400.0
# A certificate is renewed by ACM 60 days before it ends; at 7 something has gone wrong for weeks.
CERTIFICATE_DAYS = 7
# What to do about something that could not be read.
UNREAD = "the reason says whether it is missing (create it) or forbidden (mend the role of audit-backups)"
# S3 replicates most objects in 15 minutes.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html
REPLICATION_WITHIN = 900.0


def judge_backups(backups: Backups, environment: Environment, now: float) -> list[AuditFinding]:
    """Every rule on everything that was read (pure)."""
    found = [finding for rule in RULES for finding in rule(backups, environment, now)]
    return sorted(found, key=lambda f: (f.rule, f.subject))


def _say(
    rule: str, subject: str, passed: bool | None, reason: str, fix: str = "", **evidence: Any
) -> AuditFinding:
    verdict: AuditVerdict = "unknown" if passed is None else "pass" if passed else "fail"
    return AuditFinding(rule, subject, verdict, reason, "" if passed else fix, evidence)


def _unread(backups: Backups, *keys: str) -> str:
    """Why something could not be read; the first reason that is known."""
    return next((backups.unreadable[key] for key in keys if key in backups.unreadable), "")


def _part_unread(backups: Backups, subject: str, part: str, kept: object) -> str:
    """Why a part of something could not be read; empty when it was."""
    return _unread(backups, f"{subject}/{part}", subject) or ("" if kept is not None else "nobody looked")


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


# --- databases --------------------------------------------------------------------------------


def databases(backups: Backups, env: Environment, now: float) -> Iterator[AuditFinding]:
    """Snapshots, point-in-time restore, retention, copies and replica of every database."""
    policy = env.recovery
    for declared in env.databases:
        subject = f"database/{declared.name}"
        kept = backups.databases.get(declared.name)
        if kept is None:
            why = _unread(backups, subject) or "nobody looked"
            for rule in ("snapshot-age", "point-in-time", "retention", "encryption"):
                yield _say(rule, subject, None, f"{declared.identifier} cannot be read: {why}", UNREAD)
        else:
            yield from _kept(
                subject, declared.identifier, kept, policy.snapshot_age, policy.rpo, policy.retention, now
            )
        if env.production:
            yield from _copies(backups, subject, declared.identifier, kept, env, now)
        if declared.replica:
            yield from _replica(
                backups, subject, declared.replica.identifier, kept, float(declared.max_lag), now
            )


def _kept(
    subject: str,
    identifier: str,
    kept: DatabaseBackups,
    snapshot_age: float,
    rpo: float,
    retention: float,
    now: float,
) -> Iterator[AuditFinding]:
    age = now - kept.snapshot_at
    yield _say(
        "snapshot-age",
        subject,
        kept.snapshot_at > 0 and age <= snapshot_age,
        f"the newest snapshot of {identifier} is {_hours(age)} old, {_hours(snapshot_age)} are allowed"
        if kept.snapshot_at
        else f"{identifier} has no snapshot",
        "look at the instance's backup window and events; take one now: aws rds create-db-snapshot",
        snapshot_at=kept.snapshot_at,
    )
    behind = now - kept.restorable_to
    yield _say(
        "point-in-time",
        subject,
        kept.restorable_to > 0 and behind <= rpo,
        f"{identifier} can be restored to {_hours(behind)} ago, the RPO is {_hours(rpo)}"
        if kept.restorable_to
        else f"{identifier} has no point-in-time restore",
        "RDS ships its log every 5 minutes: look for storage-full or a failed archive in its events",
        restorable_to=kept.restorable_to,
    )
    days = round(retention / DAY)
    yield _say(
        "retention",
        subject,
        kept.retention_days >= days,
        f"{identifier} keeps backups for {kept.retention_days} days, {days} are promised",
        f"aws rds modify-db-instance --db-instance-identifier {identifier} --backup-retention-period {days}",
        days=kept.retention_days,
    )
    yield _say(
        "encryption",
        subject,
        kept.encrypted,
        f"the storage of {identifier} and its backups {'are' if kept.encrypted else 'are not'} encrypted",
        "restore an encrypted copy of a snapshot and switch over to it",
    )


def _copies(
    backups: Backups,
    subject: str,
    identifier: str,
    kept: DatabaseBackups | None,
    env: Environment,
    now: float,
) -> Iterator[AuditFinding]:
    if not (where := env.recovery_region):
        return
    if why := _part_unread(backups, subject, "copies", kept):
        yield _say("recovery-copy", subject, None, f"copies in {where} cannot be read: {why}", UNREAD)
        return
    newest = kept.copies[0] if kept and kept.copies else None
    age = now - newest.at if newest else 0.0
    yield _say(
        "recovery-copy",
        subject,
        newest is not None and age <= env.recovery.snapshot_age,
        f"the newest copy in {where}, {newest.identifier}, is {_hours(age)} old"
        if newest
        else f"{where} has no copy of a backup of {identifier}",
        f"replicate its automated backups to {where} (aws rds start-db-instance-automated-backups-replication)",
    )
    if newest:
        yield _say(
            "recovery-copy-encryption",
            subject,
            newest.encrypted,
            f"{newest.identifier} in {where} {'is' if newest.encrypted else 'is not'} encrypted",
            f"copy it with a KMS key of {where}",
        )


def _replica(
    backups: Backups, subject: str, replica: str, kept: DatabaseBackups | None, limit: float, now: float
) -> Iterator[AuditFinding]:
    if why := _part_unread(backups, subject, "replica", kept):
        yield _say("replica-lag", subject, None, f"{replica} cannot be read: {why}", UNREAD)
        return
    assert kept is not None
    if not kept.replica_status:
        yield _say(
            "replica-lag", subject, False, f"there is no replica {replica}", "create it: a failover needs it"
        )
        return
    fresh = kept.replica_lag is not None and now - kept.replica_lag_at <= 300
    if not fresh or kept.replica_lag is None:
        yield _say(
            "replica-lag",
            subject,
            None,
            f"{replica} is {kept.replica_status} and has reported no lag for five minutes",
            "look at the replica's replication state in RDS",
        )
        return
    yield _say(
        "replica-lag",
        subject,
        kept.replica_status in SERVING and kept.replica_lag <= limit,
        f"{replica} is {kept.replica_status} and {kept.replica_lag:.0f} s behind, {limit:.0f} s are allowed",
        "look for long transactions and for a replica that is too small",
        lag=kept.replica_lag,
    )


# --- everything else ----------------------------------------------------------------------------


def buckets(backups: Backups, env: Environment, now: float) -> Iterator[AuditFinding]:
    """Objects of every declared bucket are replicated to the recovery region, in time."""
    for name in env.recovery.buckets:
        subject = f"bucket/{name}"
        seen = backups.buckets.get(name)
        if seen is None:
            why = _unread(backups, subject) or "nobody looked"
            yield _say("bucket-replication", subject, None, f"{name} cannot be read: {why}", UNREAD)
            continue
        there = env.recovery_region in seen.regions
        yield _say(
            "bucket-replication",
            subject,
            there and seen.versioned,
            f"{name} is replicated to {', '.join(seen.regions) or 'no region'}"
            + ("" if seen.versioned else ", and it is not versioned"),
            f"add a replication rule to a bucket in {env.recovery_region}; both must be versioned",
        )
        if there:
            late = seen.failed > 0 or (seen.latency is not None and seen.latency > REPLICATION_WITHIN)
            yield _say(
                "bucket-replication-lag",
                subject,
                None if seen.latency is None and not seen.failed else not late,
                f"{name} has no replication metrics"
                if seen.latency is None and not seen.failed
                else f"{name}: {seen.failed:.0f} objects failed, the newest took {seen.latency or 0:.0f} s",
                "switch replication metrics on in the rule"
                if seen.latency is None
                else "look at the destination's policy and KMS key, then run S3 Batch Replication",
            )


def secrets(backups: Backups, env: Environment, now: float) -> Iterator[AuditFinding]:
    """Secrets are replicated, in step, and rotated."""
    for name, state in backups.secrets.items():
        subject = f"secret/{name}"
        if state is None:
            why = _unread(backups, subject) or "nobody looked"
            yield _say("secret-replica", subject, None, f"{name} cannot be read: {why}", UNREAD)
            yield _say("secret-rotation", subject, None, f"{name} cannot be read: {why}", UNREAD)
            continue
        if env.production and env.recovery_region:
            status, message = state.replicas.get(env.recovery_region, ("", ""))
            yield _say(
                "secret-replica",
                subject,
                None if status == "InProgress" else status == "InSync",
                f"{name} in {env.recovery_region} is {status or 'missing'}"
                + (f": {message}" if message else ""),
                f"aws secretsmanager replicate-secret-to-regions --secret-id {name} "
                f"--add-replica-regions Region={env.recovery_region} --force-overwrite-replica-secret",
            )
        age = (now - state.rotated_at) / DAY
        on_time = state.rotates and state.rotated_at > 0 and age <= state.rotation_days + 1
        yield _say(
            "secret-rotation",
            subject,
            on_time,
            f"{name} was rotated {age:.0f} days ago, every {state.rotation_days} days are set"
            if state.rotates and state.rotated_at
            else f"{name} was never rotated"
            if state.rotates
            else f"{name} is not rotated",
            "look at the rotation function's log"
            if state.rotates
            else f"aws secretsmanager rotate-secret --secret-id {name} --rotation-lambda-arn ...",
        )


def caches(backups: Backups, env: Environment, now: float) -> Iterator[AuditFinding]:
    """Caches keep snapshots, and the newest is young."""
    for declared in env.caches:
        subject = f"cache/{declared.name}"
        kept = backups.caches.get(declared.name)
        if kept is None:
            why = _unread(backups, subject) or "nobody looked"
            yield _say(
                "cache-snapshot",
                subject,
                None,
                f"{declared.replication_group} cannot be read: {why}",
                UNREAD,
            )
            continue
        age = now - kept.snapshot_at
        yield _say(
            "cache-snapshot",
            subject,
            kept.retention_days > 0 and kept.snapshot_at > 0 and age <= env.recovery.snapshot_age,
            f"the newest snapshot of {declared.replication_group} is {_hours(age)} old, kept for {kept.retention_days} days"
            if kept.snapshot_at
            else f"{declared.replication_group} has no snapshot ({kept.retention_days} days of retention are set)",
            f"aws elasticache modify-replication-group --replication-group-id {declared.replication_group} "
            "--snapshot-retention-limit 7",
        )


def certificates(backups: Backups, env: Environment, now: float) -> Iterator[AuditFinding]:
    """No certificate ends within a week."""
    if backups.certificates is None:
        why = _unread(backups, "certificates") or "nobody looked"
        yield _say("certificate", "certificates", None, f"certificates cannot be read: {why}", UNREAD)
        return
    for each in backups.certificates:
        left = (each.ends_at - now) / DAY
        yield _say(
            "certificate",
            f"certificate/{each.domain}",
            left > CERTIFICATE_DAYS,
            f"the certificate of {each.domain} ends in {left:.0f} days"
            if left > 0
            else f"the certificate of {each.domain} ended",
            f"its renewal is {each.renewal or 'not automatic'}: check its DNS validation record, or import a new one",
            days=round(left, 1),
        )


def versions(backups: Backups, env: Environment, now: float) -> Iterator[AuditFinding]:
    """A control plane stands by in the recovery region, and knows the stable version of every service."""
    if env.production and env.recovery_region:
        yield _say(
            "standby",
            f"region/{env.recovery_region}",
            env.recovery.standby,
            f"{env.recovery_region} has a control plane that is told of promotions"
            if env.recovery.standby
            else no_standby(env),
            STAND_BY,
        )
    for name, known in backups.versions.items():
        subject = f"service/{name}"
        if known is None:
            why = _unread(backups, f"services/{name}", "services") or "nobody looked"
            yield _say(
                "stable-version",
                subject,
                None,
                f"versions of {name} cannot be read: {why}",
                UNREAD,
            )
        elif known.here is not None:
            there = known.there.short if known.there else "none"
            yield _say(
                "stable-version",
                subject,
                known.here.same_as(known.there),
                f"{known.here.short} of {name} is stable here, {env.recovery_region} knows {there}",
                "the audit wrote it there again; look at the dead letters of remember-stable",
            )


Rule = Callable[[Backups, Environment, float], Iterator[AuditFinding]]
RULES: tuple[Rule, ...] = (databases, buckets, secrets, caches, certificates, versions)
