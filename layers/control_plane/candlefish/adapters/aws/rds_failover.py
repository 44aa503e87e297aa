"""RDS instances and Aurora clusters of one region, as a failover sees and changes them.

AWS API: DescribeDBInstances, DescribeDBClusters, DescribeGlobalClusters, DescribeEvents,
RebootDBInstance (ForceFailover), ModifyDBInstance, PromoteReadReplica, FailoverGlobalCluster and
their cluster counterparts, all in the region of the client. A refusal because the resource is busy
is `Unavailable`: it passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.adapters.aws.words import BUSY
from candlefish.catalog.model import Database
from candlefish.errors import Misconfigured
from candlefish.failover.facts import Copy, Lag
from candlefish.statuses import SETTLED

MISSING = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault", "DBClusterNotFoundFault"})
# RDS keeps events for 14 days; what a run needs is hours old at most.
EVENTS_MINUTES = 24 * 60


rds_call = partial(aws_call, busy=BUSY["rds"])


class RdsDatabases:
    """`failover.ports.Databases` in one region."""

    def __init__(self, region: str, rds: Any, cloudwatch: Any, *, lag_period: float = 60) -> None:
        self.region = region
        self._lag_period = max(1, round(lag_period))
        self._rds = rds
        self._cloudwatch = cloudwatch

    # --- looking ----------------------------------------------------------------------------

    def read(self, database: Database, identifier: str) -> Copy | None:
        with rds_call(f"reading {identifier} in {self.region}"):
            try:
                if database.kind == "aurora":
                    return self._cluster(database, identifier)
                found = self._rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
            events = self._events("db-instance", identifier)
        source = found.get("ReadReplicaSourceDBInstanceIdentifier") or ""
        return Copy(
            identifier=identifier,
            region=self.region,
            status=found["DBInstanceStatus"],
            role="replica" if source else "primary",
            arn=found["DBInstanceArn"],
            follows=source.rpartition(":")[2],
            zone=found.get("AvailabilityZone", ""),
            writer=identifier,
            standby=bool(found.get("MultiAZ")),
            address=found.get("Endpoint", {}).get("Address", ""),
            groups=_groups(found),
            restarted_at=_newest(events, "restarted"),
            failed_over_at=_newest(events, "failover completed"),
            retention_days=found.get("BackupRetentionPeriod", 0),
            managed_password="MasterUserSecret" in found,
        )

    def _cluster(self, database: Database, identifier: str) -> Copy:
        found = self._rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"][0]
        members = found.get("DBClusterMembers", [])
        # A secondary of a global database has readers alone, or no instance at all.
        by_role = sorted(members, key=lambda member: not member.get("IsClusterWriter"))
        writer = by_role[0]["DBInstanceIdentifier"] if by_role else ""
        zone, restarts = "", []
        if writer:
            instance = self._rds.describe_db_instances(DBInstanceIdentifier=writer)["DBInstances"][0]
            zone = instance.get("AvailabilityZone", "")
            restarts = self._events("db-instance", writer)
        follows = found.get("ReplicationSourceIdentifier") or ""
        status = found["Status"]
        if database.global_cluster:
            world = self._rds.describe_global_clusters(GlobalClusterIdentifier=database.global_cluster)
            whole = world["GlobalClusters"][0]
            mine = {m["DBClusterArn"]: m["IsWriter"] for m in whole.get("GlobalClusterMembers", [])}
            if not mine.get(found["DBClusterArn"], True):
                follows = next((arn for arn, writes in mine.items() if writes), database.global_cluster)
            # A move of the global database shows there before it shows in the cluster.
            status = status if whole["Status"] in SETTLED else whole["Status"]
        return Copy(
            identifier=identifier,
            region=self.region,
            status=status,
            role="replica" if follows else "primary",
            arn=found["DBClusterArn"],
            follows=follows.rpartition(":")[2],
            zone=zone,
            writer=writer,
            standby=len(members) > 1,
            address=found.get("Endpoint", ""),
            groups=_groups(found),
            restarted_at=_newest(restarts, "restarted"),
            failed_over_at=_newest(self._events("db-cluster", identifier), "completed failover"),
            retention_days=found.get("BackupRetentionPeriod", 0),
            members=len(members),
        )

    def _events(self, kind: str, identifier: str) -> list[Mapping[str, Any]]:
        pages = self._rds.get_paginator("describe_events").paginate(
            SourceType=kind, SourceIdentifier=identifier, Duration=EVENTS_MINUTES
        )
        return [event for page in pages for event in page["Events"]]

    def lag(self, database: Database, identifier: str, since: float) -> tuple[Lag, ...]:
        name, dimension, unit = (
            ("AuroraGlobalDBReplicationLag", "DBClusterIdentifier", 0.001)
            if database.kind == "aurora"
            else ("ReplicaLag", "DBInstanceIdentifier", 1.0)
        )
        metric = {
            "Namespace": "AWS/RDS",
            "MetricName": name,
            "Dimensions": [{"Name": dimension, "Value": identifier}],
        }
        with aws_call(f"reading the lag of {identifier} in {self.region}"):
            answer = self._cloudwatch.get_metric_data(
                MetricDataQueries=[
                    {
                        "Id": "lag",
                        "MetricStat": {"Metric": metric, "Period": self._lag_period, "Stat": "Maximum"},
                    }
                ],
                StartTime=datetime.fromtimestamp(since, UTC),
                EndTime=datetime.now(UTC),
                ScanBy="TimestampAscending",
            )
        rows = answer["MetricDataResults"][0]
        points: list[Lag] = []
        for at, value in zip((each.timestamp() for each in rows["Timestamps"]), rows["Values"], strict=True):
            if value >= 0:
                points.append(Lag(at, value * unit))
            elif points:
                # Replication has stopped: nothing is known to have been replayed since the last point.
                points.append(Lag(at, at - points[-1].replayed_to, stopped=True))
        return tuple(points)

    # --- acting -----------------------------------------------------------------------------

    def fail_over(self, database: Database, identifier: str) -> None:
        with rds_call(f"failing over {identifier} in {self.region}"):
            if database.kind == "aurora":
                self._rds.failover_db_cluster(DBClusterIdentifier=identifier)
            else:
                self._rds.reboot_db_instance(DBInstanceIdentifier=identifier, ForceFailover=True)

    def set_groups(self, database: Database, identifier: str, groups: tuple[str, ...]) -> None:
        self._modify(database, identifier, VpcSecurityGroupIds=list(groups))

    def restart(self, database: Database, identifier: str) -> None:
        with rds_call(f"restarting {identifier} in {self.region}"):
            copy = self.read(database, identifier)
            # A cluster without an instance has nobody to restart.
            if copy is not None and copy.writer:
                self._rds.reboot_db_instance(DBInstanceIdentifier=copy.writer)

    def promote(self, database: Database, identifier: str, *, planned: bool, retention_days: int) -> None:
        copy = self.read(database, identifier)
        if copy is None or copy.role == "primary":
            return
        with rds_call(f"promoting {identifier} in {self.region}"):
            if database.kind == "rds":
                self._rds.promote_read_replica(
                    DBInstanceIdentifier=identifier, BackupRetentionPeriod=min(35, retention_days)
                )
            elif not database.global_cluster:
                self._rds.promote_read_replica_db_cluster(DBClusterIdentifier=identifier)
            else:
                target = {
                    "GlobalClusterIdentifier": database.global_cluster,
                    "TargetDbClusterIdentifier": copy.arn,
                }
                if planned:
                    self._rds.switchover_global_cluster(**target)
                else:
                    self._rds.failover_global_cluster(**target, AllowDataLoss=True)

    def protect(self, database: Database, identifier: str, *, retention_days: int) -> None:
        # 35 days is the most that RDS keeps; longer retention is a matter of snapshots and AWS Backup.
        kept = {"BackupRetentionPeriod": min(35, retention_days)}
        if database.kind == "rds":
            self._modify(database, identifier, MultiAZ=True, **kept)
            return
        self._modify(database, identifier, **kept)
        copy = self.read(database, identifier)
        if copy is None or copy.standby:
            return
        if not copy.writer:
            raise Misconfigured(
                f"cluster {identifier} in {self.region} has no instance, so nothing says of what class its standby "
                "should be; add an instance: aws rds create-db-instance "
                f"--region {self.region} --db-cluster-identifier {identifier} ..."
            )
        with rds_call(f"adding a reader to {identifier} in {self.region}"):
            writer = self._rds.describe_db_instances(DBInstanceIdentifier=copy.writer)["DBInstances"][0]
            self._rds.create_db_instance(
                DBInstanceIdentifier=f"{identifier}-standby",
                DBClusterIdentifier=identifier,
                DBInstanceClass=writer["DBInstanceClass"],
                Engine=writer["Engine"],
            )

    def rename(self, database: Database, identifier: str, to: str) -> None:
        name = "NewDBClusterIdentifier" if database.kind == "aurora" else "NewDBInstanceIdentifier"
        self._modify(database, identifier, **{name: to})

    def _modify(self, database: Database, identifier: str, **changes: Any) -> None:
        with rds_call(f"changing {identifier} in {self.region}"):
            if database.kind == "aurora":
                self._rds.modify_db_cluster(DBClusterIdentifier=identifier, ApplyImmediately=True, **changes)
            else:
                self._rds.modify_db_instance(
                    DBInstanceIdentifier=identifier, ApplyImmediately=True, **changes
                )

    def replicate(
        self, database: Database, identifier: str, *, source: Copy, like: Copy | None, groups: tuple[str, ...]
    ) -> None:
        if database.kind == "aurora":
            raise Misconfigured(
                f"Aurora cluster {identifier} has to come back into its global database by itself; look at "
                f"its state in {self.region}, or add the region again in the RDS console"
            )
        shape = self._shape(like.identifier) if like else {}
        with rds_call(f"creating {identifier} in {self.region} as a replica of {source.identifier}"):
            try:
                self._rds.create_db_instance_read_replica(
                    DBInstanceIdentifier=identifier,
                    SourceDBInstanceIdentifier=source.arn,
                    SourceRegion=source.region,
                    VpcSecurityGroupIds=list(groups),
                    CopyTagsToSnapshot=True,
                    **shape,
                )
            except ClientError as error:
                if code_of(error) != "DBInstanceAlreadyExists":
                    raise

    def _shape(self, identifier: str) -> dict[str, Any]:
        """What a replica takes over from the instance whose place it takes."""
        with rds_call(f"reading {identifier} in {self.region}"):
            found = self._rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        shape = {"DBInstanceClass": found["DBInstanceClass"]}
        if subnets := found.get("DBSubnetGroup", {}).get("DBSubnetGroupName"):
            shape["DBSubnetGroupName"] = subnets
        if found.get("StorageEncrypted") and found.get("KmsKeyId"):
            shape["KmsKeyId"] = found["KmsKeyId"]
        return shape


def _groups(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The security groups in force; one that is being removed still lets connections in."""
    return tuple(sorted(g["VpcSecurityGroupId"] for g in found.get("VpcSecurityGroups", [])))


def _newest(events: list[Mapping[str, Any]], words: str) -> float:
    """When the newest event whose message has these words happened, epoch seconds; 0 for never."""
    times = [event["Date"].timestamp() for event in events if words in event.get("Message", "").lower()]
    return max(times, default=0.0)
