"""Snapshots, scratch instances and drills: what a drill reads and makes, and where it is written down.

| pk | sk | what |
|---|---|---|
| `drills#<environment>` | `<id>` | a drill; conditional on `revision` |
| `audit#<environment>` | `latest` | the newest backup audit |

Deleting is guarded twice: by the tag that is read back right before, and by the role, which may only
delete instances whose names begin like a scratch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.api import aws_call, code_of
from candlefish.adapters.aws.backups import snapshots
from candlefish.adapters.aws.eventbridge import EventBus
from candlefish.adapters.aws.rds_failover import MISSING, rds_call
from candlefish.adapters.table.items import change_stored, expiry, get, put_if, query
from candlefish.backups.drill import PREFIX, TAG, Drill, Scratch, Snapshot
from candlefish.backups.findings import Report, Signal
from candlefish.catalog.model import Database
from candlefish.errors import InvalidInput, NotAllowed

KEEP = 7 * 365 * 86400


class RdsRestores:
    """`drill.Restores` in one region. Aurora snapshots are restored as clusters and not supported here."""

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
                    Tags=[{"Key": TAG, "Value": drill.id}],
                )
            except ClientError as error:
                if code_of(error) != "DBInstanceAlreadyExists":
                    raise

    def manage_password(self, scratch: str) -> None:
        with rds_call(f"letting RDS make a password for {scratch}"):
            self._rds.modify_db_instance(
                DBInstanceIdentifier=scratch, ManageMasterUserPassword=True, ApplyImmediately=True
            )

    def scratch(self, identifier: str) -> Scratch | None:
        with rds_call(f"reading {identifier}"):
            try:
                found = self._rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise
        return _scratch(found)

    def scratches(self) -> list[Scratch]:
        with rds_call("reading scratch instances"):
            pages = self._rds.get_paginator("describe_db_instances").paginate()
            return [
                _scratch(found)
                for page in pages
                for found in page["DBInstances"]
                if found["DBInstanceIdentifier"].startswith(PREFIX)
            ]

    def delete(self, scratch: Scratch) -> None:
        now = self.scratch(scratch.identifier)
        if now is None:
            return
        if not now.identifier.startswith(PREFIX) or not now.drill or now.drill != scratch.drill:
            raise NotAllowed(f"{now.identifier} is not the scratch instance of a drill; it was not deleted")
        with rds_call(f"deleting {scratch.identifier}"):
            self._rds.delete_db_instance(
                DBInstanceIdentifier=scratch.identifier, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )


def _scratch(found: dict[str, Any]) -> Scratch:
    tags = {tag["Key"]: tag["Value"] for tag in found.get("TagList", [])}
    created = found.get("InstanceCreateTime")
    return Scratch(
        identifier=found["DBInstanceIdentifier"],
        status=found["DBInstanceStatus"],
        drill=tags.get(TAG, ""),
        address=found.get("Endpoint", {}).get("Address", ""),
        secret=(found.get("MasterUserSecret") or {}).get("SecretArn", ""),
        created_at=created.timestamp() if created else 0.0,
    )


class DynamoDrills:
    """`drill.Drills` and `findings.Reports`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _key(self, id: str) -> dict[str, Any]:
        return {"pk": {"S": f"drills#{self._environment}"}, "sk": {"S": id}}

    def read(self, id: str) -> Drill | None:
        item = get(self._client, self._table, self._key(id), what=f"drill {id}")
        return msgspec.json.decode(item["body"]["S"], type=Drill) if item else None

    def create(self, drill: Drill) -> Drill:
        if self._put(drill, None):
            return drill
        stored = self.read(drill.id)
        assert stored is not None
        return stored

    def update(self, id: str, change: Callable[[Drill], Drill]) -> Drill:
        def known() -> Drill:
            drill = self.read(id)
            if drill is None:
                raise InvalidInput(f"there is no drill {id!r}")
            return drill

        return change_stored(known, change, self._put, f"drill {id}")

    def _put(self, drill: Drill, seen: int | None) -> bool:
        item = {
            **self._key(drill.id),
            "revision": {"N": str(drill.revision)},
            "body": {"S": msgspec.json.encode(drill).decode()},
            "expires": expiry(drill.started_at, KEEP),
        }
        return put_if(self._client, self._table, item, seen=seen, what=f"drill {drill.id}")

    def recent(self, limit: int = 20) -> list[Drill]:
        items = query(self._client, self._table, f"drills#{self._environment}")
        drills = [msgspec.json.decode(item["body"]["S"], type=Drill) for item in items]
        return sorted(drills, key=lambda d: -d.started_at)[:limit]

    def _report_key(self) -> dict[str, Any]:
        return {"pk": {"S": f"audit#{self._environment}"}, "sk": {"S": "latest"}}

    def latest(self) -> Report | None:
        item = get(self._client, self._table, self._report_key(), what="the newest backup audit")
        return msgspec.json.decode(item["body"]["S"], type=Report) if item else None

    def store(self, report: Report) -> None:
        body = {"S": msgspec.json.encode(report).decode()}
        with aws_call("keeping the backup audit"):
            self._client.put_item(TableName=self._table, Item={**self._report_key(), "body": body})


class BusTeller:
    """`findings.Teller` on the control plane's bus."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def tell(self, signals: list[Signal]) -> None:
        self._bus.publish_all([("finding", msgspec.to_builtins(signal)) for signal in signals])
