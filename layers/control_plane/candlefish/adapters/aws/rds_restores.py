"""Snapshots and scratch instances: what a drill reads and makes.

Deleting is guarded twice: by the tag that is read back right before, and by the role, which may only
delete instances whose names begin like a scratch's.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.backups import snapshots
from candlefish.adapters.aws.rds_failover import MISSING, rds_call
from candlefish.adapters.aws.refusals import code_of
from candlefish.backups.model import PREFIX, TAG, ScratchInstance, Snapshot
from candlefish.backups.record import Drill
from candlefish.catalog.model import Database
from candlefish.errors import InvalidInput, NotAllowed
from candlefish.names import ENVIRONMENT_TAG


class RdsRestores:
    """`backups.ports.Restores` in one region. Aurora snapshots are restored as clusters and not supported here."""

    def __init__(self, rds: Any) -> None:
        self._rds = rds

    def newest_snapshot(self, database: Database, identifier: str) -> Snapshot | None:
        if database.kind == "aurora":
            raise InvalidInput(
                f"database {database.name} is an Aurora cluster; drills restore RDS instances only, restore it by hand"
            )
        found = [Snapshot(name, at, encrypted) for name, at, encrypted in snapshots(self._rds, database)]
        return max(found, key=lambda s: s.at, default=None)

    def restore(self, drill: Drill, database: Database) -> None:
        assert database.scratch is not None
        with rds_call(f"restoring {drill.snapshot.identifier} as {drill.scratch}"):
            try:
                self._rds.restore_db_instance_from_db_snapshot(
                    DBInstanceIdentifier=drill.scratch,
                    DBSnapshotIdentifier=drill.snapshot.identifier,
                    DBInstanceClass=database.scratch.instance_class,
                    DBSubnetGroupName=database.scratch.subnet_group,
                    VpcSecurityGroupIds=[database.scratch.security_group],
                    MultiAZ=False,
                    PubliclyAccessible=False,
                    DeletionProtection=False,
                    AutoMinorVersionUpgrade=False,
                    Tags=[
                        {"Key": TAG, "Value": drill.id},
                        {"Key": ENVIRONMENT_TAG, "Value": drill.environment},
                    ],
                )
            except ClientError as error:
                if code_of(error) != "DBInstanceAlreadyExists":
                    raise

    def manage_password(self, scratch: str) -> None:
        with rds_call(f"letting RDS make a password for {scratch}"):
            self._rds.modify_db_instance(
                DBInstanceIdentifier=scratch, ManageMasterUserPassword=True, ApplyImmediately=True
            )

    def scratch(self, identifier: str) -> ScratchInstance | None:
        with rds_call(f"reading {identifier}"):
            try:
                found = self._rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
        return _scratch(found)

    def scratches(self) -> list[ScratchInstance]:
        with rds_call("reading scratch instances"):
            pages = self._rds.get_paginator("describe_db_instances").paginate()
            return [
                _scratch(found)
                for page in pages
                for found in page["DBInstances"]
                if found["DBInstanceIdentifier"].startswith(PREFIX)
            ]

    def delete(self, scratch: ScratchInstance) -> None:
        now = self.scratch(scratch.identifier)
        if now is None:
            return
        if not now.identifier.startswith(PREFIX) or not now.drill or now.drill != scratch.drill:
            raise NotAllowed(f"{now.identifier} is not the scratch instance of a drill; it was not deleted")
        with rds_call(f"deleting {scratch.identifier}"):
            self._rds.delete_db_instance(
                DBInstanceIdentifier=scratch.identifier, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )


def _scratch(found: dict[str, Any]) -> ScratchInstance:
    tags = {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])}
    created = found.get("InstanceCreateTime")
    return ScratchInstance(
        identifier=found["DBInstanceIdentifier"],
        status=found["DBInstanceStatus"],
        drill=tags.get(TAG, ""),
        environment=tags.get(ENVIRONMENT_TAG, ""),
        address=found.get("Endpoint", {}).get("Address", ""),
        secret=(found.get("MasterUserSecret") or {}).get("SecretArn", ""),
        created_at=created.timestamp() if created else 0.0,
    )
