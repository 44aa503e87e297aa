"""RDS: failovers, promotions and restores that take time, change zone and leave events.

Durations are what the RDS user guide and its forums report; a test or a scenario divides them by
the time scale. What stands behind an instance (a real PostgreSQL, or nothing) is told by `Hooks`.

Not imitated: storage, parameter groups that need a reboot, Multi-AZ clusters with two readable
standbys, and that a modification waits for the maintenance window.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.rds import models
from moto.rds.exceptions import InvalidDBClusterStateFault, RDSClientError
from moto.rds.models import Event, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from lab.moto import replace
from lab.moto.timeline import Timeline

# Seconds on AWS.
REBOOT, FAILOVER, GROUPS, PROMOTION, RENAME = 40, 90, 10, 180, 60
REPLICA, MULTI_AZ, RESTORE, DELETION, CREDENTIALS = 600, 300, 400, 120, 30
CLUSTER_FAILOVER, GLOBAL_FAILOVER, BACKUP, INITIALIZATION = 30, 120, 60, 60


# An instance whose storage is optimized takes every change but one of its storage.
SETTLED = ("available", "storage-optimization")


class Hooks:
    """What stands behind the instances. Called when a change takes effect, not when it is asked for."""

    def down(self, instance: Any) -> None:
        """The instance stops answering; every connection ends."""

    def up(self, instance: Any) -> None:
        """The instance answers again."""

    def groups(self, instance: Any) -> None:
        """Its security groups changed: new connections are judged by them, open ones stay."""

    def promoted(self, instance: Any) -> None:
        """A replica takes writes from now on."""

    def replicate(self, instance: Any, source: Any) -> None:
        """A replica of `source` was made."""

    def credentials(self, instance: Any) -> None:
        """RDS made a master password; it is in the instance's `master_user_secret`."""

    def snapshotted(self, instance: Any, snapshot: Any) -> None:
        """A snapshot of the instance was taken."""

    def restored(self, instance: Any, snapshot: Any) -> str:
        """An instance was restored from a snapshot; its status."""
        return "available"

    def deleted(self, instance: Any) -> None:
        """The instance is gone."""


class Rds:
    """The behaviour; `install` puts it into moto."""

    def __init__(self, timeline: Timeline, hooks: Hooks | None = None) -> None:
        self.timeline = timeline
        self.hooks = hooks or Hooks()

    def install(self) -> None:
        """Put it in moto's place; `lab.moto.restore` takes it out again."""
        for name in _SETTLES:
            replace(RDSBackend, name, self.timeline.settling(getattr(RDSBackend, name)))
        for owner, name, make in (
            (RDSResponse, "reboot_db_instance", self._reboot),
            (RDSBackend, "modify_db_instance", self._modify),
            (RDSBackend, "promote_read_replica", self._promote),
            (RDSBackend, "create_db_instance_read_replica", self._replicate),
            (RDSBackend, "restore_db_instance_from_db_snapshot", self._restore),
            (RDSBackend, "delete_db_instance", self._delete),
            (RDSBackend, "create_db_snapshot", self._snapshot),
            (RDSBackend, "failover_db_cluster", self._fail_over_cluster),
        ):
            replace(owner, name, make(getattr(owner, name)))
        for name, data_loss in (("failover_global_cluster", True), ("switchover_global_cluster", False)):
            setattr(RDSResponse, name, self._move_global(data_loss))

    def _work(self, instance: Any, status: str, seconds: float, done: Callable[[], None]) -> None:
        instance.status = status

        def finish() -> None:
            instance.status = "available"
            done()

        self.timeline.later(seconds, finish)

    # --- instances ---------------------------------------------------------------------------

    def _reboot(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def reboot_db_instance(response: RDSResponse) -> ActionResult:
            self.timeline.settle()
            instance = _available(response.backend, response.params["DBInstanceIdentifier"])
            failover = bool(response.params.get("ForceFailover"))
            if failover and not instance.multi_az:
                raise RDSClientError(
                    "InvalidParameterCombination",
                    "Cannot force failover since the instance is not configured to be Multi-AZ.",
                )
            self.hooks.down(instance)
            if failover:
                tell(instance, "failover", "Multi-AZ instance failover started.")

            def done() -> None:
                if failover:
                    instance.availability_zone = other_zone(instance.availability_zone)
                    tell(instance, "failover", "Multi-AZ instance failover completed")
                tell(instance, "availability", "DB instance restarted")
                self.hooks.up(instance)

            self._work(instance, "rebooting", FAILOVER if failover else REBOOT, done)
            return ActionResult({"DBInstance": instance})

        return reboot_db_instance

    def _modify(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def modify_db_instance(
            backend: RDSBackend, db_instance_identifier: str, db_kwargs: dict[str, Any]
        ) -> Any:
            self.timeline.settle()
            instance = _available(backend, db_instance_identifier)
            wanted = dict(db_kwargs)
            if (groups := wanted.pop("vpc_security_group_ids", None)) is not None:

                def regrouped() -> None:
                    instance.vpc_security_group_ids = list(groups)
                    self.hooks.groups(instance)

                self.timeline.later(GROUPS, regrouped)
            if wanted.pop("multi_az", None):
                self._work(instance, "modifying", MULTI_AZ, lambda: setattr(instance, "multi_az", True))
            if wanted.get("manage_master_user_password"):
                wanted.pop("manage_master_user_password")

                def managed() -> None:
                    instance.update(manage_master_user_password=True)
                    tell(instance, "configuration change", "Reset master credentials")
                    self.hooks.credentials(instance)

                self._work(instance, "resetting-master-credentials", CREDENTIALS, managed)
            if name := wanted.pop("new_db_instance_identifier", None):

                def renamed() -> None:
                    backend.databases.pop(db_instance_identifier, None)
                    instance.db_instance_identifier = name
                    backend.databases[name] = instance

                self._work(instance, "renaming", RENAME, renamed)
            wanted.pop("new_db_instance_identifier", None)
            return original(backend, db_instance_identifier, wanted)

        return modify_db_instance

    def _promote(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def promote_read_replica(backend: RDSBackend, db_kwargs: dict[str, Any]) -> Any:
            self.timeline.settle()
            instance = _available(backend, db_kwargs["db_instance_identifier"])
            if not instance.is_replica:
                raise RDSClientError("InvalidDBInstanceState", "DB Instance is not a read replica.")

            def promoted() -> None:
                with_source = instance.source_db_instance_identifier
                instance.is_replica, instance.source_db_instance_identifier = False, None
                _forget_replica(backend, with_source, instance)
                if (days := db_kwargs.get("backup_retention_period")) is not None:
                    instance.backup_retention_period = days
                tell(instance, "availability", "DB instance restarted")
                self.hooks.promoted(instance)

            def at_work() -> None:
                promoted()
                self._work(instance, "backing-up", BACKUP, lambda: None)

            self._work(instance, "modifying", PROMOTION, at_work)
            return instance

        return promote_read_replica

    def _replicate(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def create_db_instance_read_replica(backend: RDSBackend, db_kwargs: dict[str, Any]) -> Any:
            self.timeline.settle()
            if db_kwargs["db_instance_identifier"] in backend.databases:
                raise RDSClientError("DBInstanceAlreadyExists", "DB Instance already exists")
            source = backend.find_db_from_id(db_kwargs["source_db_instance_identifier"])
            if getattr(source, "master_user_secret", None) is not None:
                raise RDSClientError(
                    "InvalidParameterCombination",
                    "You can't create a read replica of an instance whose password Secrets Manager manages.",
                )
            instance = original(backend, db_kwargs)
            instance.multi_az = bool(db_kwargs.get("multi_az"))
            instance.availability_zone = f"{backend.region_name}a"
            instance.backup_retention_period = 0
            self._work(instance, "creating", REPLICA, lambda: self.hooks.replicate(instance, source))
            return instance

        return create_db_instance_read_replica

    def _restore(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def restore(backend: RDSBackend, from_snapshot_id: str, overrides: dict[str, Any]) -> Any:
            self.timeline.settle()
            snapshot = backend.describe_db_snapshots(
                db_instance_identifier=None, db_snapshot_identifier=from_snapshot_id
            )[0]
            instance = original(backend, from_snapshot_id, overrides)
            instance.status = "creating"
            instance.instance_create_time = utcnow()

            def restored() -> None:
                instance.status = self.hooks.restored(instance, snapshot)
                if instance.status == "available":
                    # It answers, and takes changes only when its storage is there.
                    self._work(instance, "storage-initialization", INITIALIZATION, lambda: None)

            self.timeline.later(RESTORE, restored)
            return instance

        return restore

    def _delete(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def delete_db_instance(
            backend: RDSBackend, db_instance_identifier: str, *args: Any, **kwargs: Any
        ) -> Any:
            self.timeline.settle()
            instance = backend.databases.get(db_instance_identifier)
            if instance is None or instance.deletion_protection:
                return original(backend, db_instance_identifier, *args, **kwargs)
            instance.status = "deleting"
            self.hooks.down(instance)

            def deleted() -> None:
                if db_instance_identifier in backend.databases:
                    original(backend, db_instance_identifier, *args, **kwargs)
                    self.hooks.deleted(instance)

            self.timeline.later(DELETION, deleted)
            return instance

        return delete_db_instance

    def _snapshot(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def create_db_snapshot(
            backend: RDSBackend, db_instance_identifier: str, *args: Any, **kwargs: Any
        ) -> Any:
            self.timeline.settle()
            snapshot = original(backend, db_instance_identifier, *args, **kwargs)
            self.hooks.snapshotted(backend.databases[db_instance_identifier], snapshot)
            return snapshot

        return create_db_snapshot

    # --- clusters ----------------------------------------------------------------------------

    def _fail_over_cluster(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def failover_db_cluster(
            backend: RDSBackend, db_cluster_identifier: str, target_db_instance_identifier: Any = None
        ) -> Any:
            self.timeline.settle()
            cluster: Any = backend.clusters.get(db_cluster_identifier)
            if cluster is not None and cluster.status != "available":
                raise InvalidDBClusterStateFault(f"{db_cluster_identifier} is {cluster.status}")
            if cluster is None or len(cluster.members) < 2:
                return original(backend, db_cluster_identifier, target_db_instance_identifier)
            tell(cluster, "failover", "Started failover to a DB instance.")

            def done() -> None:
                original(backend, db_cluster_identifier, target_db_instance_identifier)
                tell(
                    cluster,
                    "failover",
                    f"Completed failover to DB instance: {cluster.writer.db_instance_identifier}",
                )

            self._work(cluster, "failing-over", CLUSTER_FAILOVER, done)
            return cluster

        return failover_db_cluster

    def _move_global(self, data_loss: bool) -> Callable[[RDSResponse], ActionResult]:
        def move(response: RDSResponse) -> ActionResult:
            self.timeline.settle()
            name = response.params["GlobalClusterIdentifier"]
            target = response.params["TargetDbClusterIdentifier"]
            found = [
                b.global_clusters[name]
                for b in rds_backends[response.current_account].values()
                if name in b.global_clusters
            ]
            if not found:
                raise RDSClientError("GlobalClusterNotFoundFault", f"Global cluster {name} not found")
            cluster = found[0]
            if cluster.status != "available" or all(m.db_cluster_arn != target for m in cluster.members):
                raise RDSClientError("InvalidGlobalClusterStateFault", f"{name} is {cluster.status}")
            cluster.status = "failing-over" if data_loss else "switching-over"

            def done() -> None:
                cluster.status = "available"
                for member in cluster.members:
                    member.is_writer = member.db_cluster_arn == target

            self.timeline.later(GLOBAL_FAILOVER, done)
            return ActionResult({"GlobalCluster": cluster})

        return move


_SETTLES = (
    "describe_db_instances",
    "describe_db_clusters",
    "describe_global_clusters",
    "describe_events",
    "describe_db_snapshots",
)


def other_zone(zone: str) -> str:
    """The zone that a Multi-AZ instance's standby is in."""
    return zone[:-1] + ("b" if zone.endswith("a") else "a")


def tell(resource: Any, category: str, message: str) -> None:
    """Leave an RDS event."""
    event = copy.copy(_template_event(resource))
    event.message, event.event_categories, event.date = message, [category], utcnow()
    resource.backend.events.append(event)


def _template_event(resource: Any) -> Event:
    event = Event.__new__(Event)
    event.source_identifier = resource.resource_id
    event.source_type = "db-cluster" if isinstance(resource, models.DBCluster) else "db-instance"
    event.source_arn = resource.arn
    return event


def _available(backend: RDSBackend, identifier: str) -> Any:
    """The instance, which must have settled: RDS refuses every change of one that has not."""
    instance = backend.describe_db_instances(identifier)[0]
    if instance.status not in SETTLED:
        raise RDSClientError("InvalidDBInstanceState", f"Instance {identifier} is not in available state.")
    return instance


def _forget_replica(backend: RDSBackend, source: str | None, instance: Any) -> None:
    try:
        primary = backend.find_db_from_id(source) if source else None
    except RDSClientError:
        return
    if primary is not None:
        known = (instance.db_instance_arn, instance.db_instance_identifier)
        primary.replicas = [name for name in primary.replicas if name not in known]
