"""What is kept of an environment, read from RDS, ElastiCache, S3, Secrets Manager, ACM and CloudWatch.

Nothing here judges. A part that cannot be read is named with the reason and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from candlefish.adapters.aws.rds_failover import MISSING, RdsDatabases
from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.attempt import attempt
from candlefish.backups.model import (
    Backups,
    BucketReplication,
    CacheBackups,
    Certificate,
    CopyOfBackup,
    DatabaseBackups,
    SecretState,
    ServiceVersions,
)
from candlefish.catalog.model import Cache, Catalog, Database, Environment
from candlefish.service.ports import ServiceRecords, StableVersions

T = TypeVar("T")
# Makes a client by service and region.
Clients = Callable[[str, str], Any]
# How far back the newest replication metric is looked for, seconds.
METRIC_WINDOW = 24 * 3600


class AwsBackups:
    """`backups.ports.BackupReader` of one environment."""

    def __init__(
        self,
        environment: Environment,
        catalog: Catalog,
        clients: Clients,
        records: ServiceRecords,
        there: StableVersions | None,
        now: Callable[[], float],
    ) -> None:
        self._env = environment
        self._catalog = catalog
        self._clients = clients
        self._records = records
        self._there = there
        self._now = now

    def read(self) -> Backups:
        bad: dict[str, str] = {}
        env = self._env
        secrets = dict.fromkeys(
            [d.secret for d in env.databases if d.secret]
            + [s.name for service in self._catalog.services.values() for s in service.secrets]
        )
        return Backups(
            databases={d.name: self._database(d, bad) for d in env.databases},
            buckets=_each("bucket", env.recovery.buckets, self._bucket, bad),
            secrets=_each("secret", secrets, self._secret, bad),
            caches={c.name: attempt(partial(self._cache, c), f"cache/{c.name}", bad) for c in env.caches},
            certificates=attempt(self._certificates, "certificates", bad),
            versions=self._versions(bad),
            unreadable=bad,
        )

    # --- databases ----------------------------------------------------------------------------

    def _database(self, database: Database, bad: dict[str, str]) -> DatabaseBackups | None:
        key = f"database/{database.name}"
        kept = attempt(partial(self._kept, database), key, bad)
        if kept is None:
            return None
        copies = attempt(partial(self._copies, database), f"{key}/copies", bad) or ()
        status, lag, lag_at = attempt(partial(self._replica, database), f"{key}/replica", bad) or (
            "",
            None,
            0.0,
        )
        return DatabaseBackups(
            **kept, copies=copies, replica_status=status, replica_lag=lag, replica_lag_at=lag_at
        )

    def _kept(self, database: Database) -> dict[str, Any]:
        rds = self._clients("rds", self._env.region)
        identifier = database.identifier
        with aws_call(f"reading the backups of {identifier}"):
            if database.kind == "aurora":
                found = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"][0]
            else:
                found = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        taken = list(snapshots(rds, database))
        return {
            "retention_days": found.get("BackupRetentionPeriod", 0),
            "encrypted": bool(found.get("StorageEncrypted")),
            "snapshot_at": max((at for _, at, _ in taken), default=0.0),
            "restorable_to": _seconds(found.get("LatestRestorableTime")),
        }

    def _copies(self, database: Database) -> tuple[CopyOfBackup, ...]:
        if not self._env.recovery_region:
            return ()
        rds = self._clients("rds", self._env.recovery_region)
        found = [CopyOfBackup(name, at, encrypted) for name, at, encrypted in snapshots(rds, database)]
        if database.kind == "rds":
            with aws_call(f"reading replicated automated backups of {database.identifier}"):
                pages = rds.get_paginator("describe_db_instance_automated_backups").paginate()
                for page in pages:
                    for backup in page["DBInstanceAutomatedBackups"]:
                        # A replicated backup keeps the ARN of the instance, which names its region.
                        if backup.get(
                            "DBInstanceIdentifier"
                        ) == database.identifier and f":{self._env.region}:" in backup.get(
                            "DBInstanceArn", ""
                        ):
                            window = backup.get("RestoreWindow", {})
                            found.append(
                                CopyOfBackup(
                                    backup["DBInstanceAutomatedBackupsArn"],
                                    _seconds(window.get("LatestTime")),
                                    bool(backup.get("Encrypted")),
                                )
                            )
        return tuple(sorted(found, key=lambda copy: -copy.at))

    def _replica(self, database: Database) -> tuple[str, float | None, float]:
        if database.replica is None:
            return "", None, 0.0
        region = database.replica.region
        reader = RdsDatabases(region, self._clients("rds", region), self._clients("cloudwatch", region))
        copy = reader.read(database, database.replica.identifier)
        if copy is None or copy.role != "replica":
            return "", None, 0.0
        points = reader.lag(database, database.replica.identifier, self._now() - 900)
        return (copy.status, points[-1].seconds, points[-1].at) if points else (copy.status, None, 0.0)

    # --- everything else ------------------------------------------------------------------------

    def _bucket(self, name: str) -> BucketReplication:
        s3 = self._clients("s3", self._env.region)
        with aws_call(f"reading the replication of bucket {name}"):
            versioned = s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled"
            try:
                rules = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]["Rules"]
            except ClientError as error:
                if code_of(error) != "ReplicationConfigurationNotFoundError":
                    raise
                return BucketReplication(versioned=versioned)
            targets = [
                (rule.get("ID", ""), rule["Destination"]["Bucket"].rpartition(":")[2])
                for rule in rules
                if rule["Status"] == "Enabled"
            ]
            regions = {
                target: s3.get_bucket_location(Bucket=target).get("LocationConstraint") or "us-east-1"
                for _, target in targets
            }
        latency, failed = None, 0.0
        for rule, target in targets:
            if regions[target] != self._env.recovery_region:
                continue
            dimensions = {"SourceBucket": name, "DestinationBucket": target, "RuleId": rule}
            latency = self._metric("ReplicationLatency", dimensions, "Maximum", latency)
            failed += self._metric("OperationsFailedReplication", dimensions, "Sum", 0.0) or 0.0
        return BucketReplication(tuple(sorted(set(regions.values()))), versioned, latency, failed)

    def _metric(
        self, name: str, dimensions: Mapping[str, str], stat: str, otherwise: float | None
    ) -> float | None:
        cloudwatch = self._clients("cloudwatch", self._env.region)
        metric = {
            "Namespace": "AWS/S3",
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        }
        at = self._now()
        with aws_call(f"reading {name} of bucket {dimensions['SourceBucket']}"):
            answer = cloudwatch.get_metric_data(
                MetricDataQueries=[
                    {"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": stat}}
                ],
                StartTime=datetime.fromtimestamp(at - METRIC_WINDOW, UTC),
                EndTime=datetime.fromtimestamp(at, UTC),
                ScanBy="TimestampDescending",
            )
        values = answer["MetricDataResults"][0]["Values"]
        return float(values[0]) if values else otherwise

    def _secret(self, name: str) -> SecretState:
        with aws_call(f"reading what secret {name} is"):
            found = self._clients("secretsmanager", self._env.region).describe_secret(SecretId=name)
        return SecretState(
            replicas={
                r["Region"]: (r.get("Status", ""), r.get("StatusMessage", ""))
                for r in found.get("ReplicationStatus", [])
            },
            rotates=bool(found.get("RotationEnabled")),
            rotation_days=int(found.get("RotationRules", {}).get("AutomaticallyAfterDays") or 0),
            rotated_at=_seconds(found.get("LastRotatedDate")),
        )

    def _cache(self, cache: Cache) -> CacheBackups:
        client = self._clients("elasticache", self._env.region)
        name = cache.replication_group
        with aws_call(f"reading the snapshots of {name}"):
            group = client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
            pages = client.get_paginator("describe_snapshots").paginate(ReplicationGroupId=name)
            times = [
                _seconds(node.get("SnapshotCreateTime"))
                for page in pages
                for snapshot in page["Snapshots"]
                if snapshot.get("SnapshotStatus") in (None, "available")
                for node in snapshot.get("NodeSnapshots", [])
            ]
        return CacheBackups(group.get("SnapshotRetentionLimit", 0), max(times, default=0.0))

    def _certificates(self) -> tuple[Certificate, ...]:
        acm = self._clients("acm", self._env.region)
        with aws_call("reading certificates"):
            pages = acm.get_paginator("list_certificates").paginate(
                CertificateStatuses=["ISSUED", "EXPIRED"],
                # Without this, ACM leaves out everything but RSA of 1024 and 2048 bits.
                Includes={"keyTypes": ["RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1"]},
            )
            return tuple(
                Certificate(c["DomainName"], _seconds(c.get("NotAfter")), c.get("RenewalEligibility", ""))
                for page in pages
                for c in page["CertificateSummaryList"]
                if c.get("InUse", True)
            )

    def _versions(self, bad: dict[str, str]) -> Mapping[str, ServiceVersions | None]:
        """Nothing where no control plane stands by: then there is nobody who could know a version."""
        if (there := self._there) is None:
            return {}

        def look() -> dict[str, ServiceVersions | None]:
            known = self._records.all()
            stable = {record.service: record.stable_version for record in known}
            bad.update({f"services/{each.service}": each.why for each in known.unreadable})

            def compare(name: str) -> ServiceVersions:
                return ServiceVersions(stable[name], there.read(name))

            return {
                **dict.fromkeys(each.service for each in known.unreadable),
                **_each("services", stable, compare, bad),
            }

        found = attempt(look, "services", bad)
        return dict.fromkeys(self._catalog.services) if found is None else found


def _each(
    kind: str, names: Iterable[str], read: Callable[[str], T], bad: dict[str, str]
) -> dict[str, T | None]:
    return {name: attempt(partial(read, name), f"{kind}/{name}", bad) for name in names}


def snapshots(rds: Any, database: Database) -> Iterable[tuple[str, float, bool]]:
    """Complete snapshots (name, when, encrypted), AWS Backup's and copies from elsewhere too."""
    call, key, list_key, what, encrypted = (
        (
            "describe_db_cluster_snapshots",
            "DBClusterIdentifier",
            "DBClusterSnapshots",
            "DBCluster",
            "StorageEncrypted",
        )
        if database.kind == "aurora"
        else ("describe_db_snapshots", "DBInstanceIdentifier", "DBSnapshots", "DB", "Encrypted")
    )
    with aws_call(f"reading snapshots of {database.identifier}"):
        for kind in ({}, {"SnapshotType": "awsbackup"}):
            try:
                pages = list(rds.get_paginator(call).paginate(**{key: database.identifier}, **kind))
            except ClientError as error:
                if code_of(error) in MISSING:
                    continue
                raise
            for page in pages:
                for snapshot in page[list_key]:
                    if snapshot.get("Status") == "available":
                        at = snapshot.get("OriginalSnapshotCreateTime") or snapshot.get("SnapshotCreateTime")
                        name = snapshot[f"{what}SnapshotIdentifier"]
                        yield name, _seconds(at), bool(snapshot.get(encrypted))


def _seconds(moment: datetime | None) -> float:
    """Epoch seconds; 0 for none."""
    return moment.timestamp() if moment else 0.0
