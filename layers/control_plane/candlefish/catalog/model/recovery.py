"""Databases, caches and routing, and what recovery promises for them."""

from __future__ import annotations

from typing import Annotated, Literal

from candlefish.catalog.model.scalars import (
    Bucket,
    Count,
    Duration,
    Host,
    HostedZone,
    HttpsUrl,
    Identifier,
    KeyArn,
    MaybeIdentifier,
    MaybeSecretName,
    Model,
    Name,
    Region,
    RoutingControl,
    SecurityGroup,
    text,
)


class Endpoint(Model, frozen=True):
    """A CNAME record that clients connect to and that a failover points at whatever serves."""

    zone: HostedZone
    name: Host


class Replica(Model, frozen=True):
    """A cross-region read replica (or a global database's secondary cluster) that can be promoted."""

    identifier: Identifier
    region: Region
    # As `groups` and `fence_group` of Database, for this copy.
    groups: tuple[SecurityGroup, ...] = ()
    fence_group: SecurityGroup = ""
    # As `keys` of Database, for this copy.
    keys: tuple[KeyArn, ...] = ()


class ScratchSettings(Model, frozen=True):
    """Where a drill restores to: away from everything live."""

    # A DB subnet group that leads nowhere live.
    subnet_group: str
    security_group: Annotated[str, text("sg-[0-9a-f]{8,17}", "write a security group like sg-0a1b2c3d")]
    # What the restored instance runs on.
    instance_class: str = "db.t4g.medium"


class Database(Model, frozen=True):
    """A PostgreSQL database: an RDS instance or an Aurora cluster."""

    # What people call it.
    name: Name
    # The DB instance's (or cluster's) identifier.
    identifier: Identifier
    kind: Literal["rds", "aurora"] = "rds"
    # The secret with its credentials and host.
    secret: MaybeSecretName = ""
    # Where it can be promoted to when the region fails.
    replica: Replica | None = None
    # A replica further behind than this is not promoted without consent to the loss.
    max_lag: Duration = Duration(300)
    # The Aurora global database that both clusters are in; RDS instances have none.
    global_cluster: MaybeIdentifier = ""
    # The security groups its clients come through, and one without inbound rules that fences it.
    groups: tuple[SecurityGroup, ...] = ()
    fence_group: SecurityGroup = ""
    # Your own KMS keys that encrypt its storage, its snapshots and its secret; AWS's own need no mention.
    keys: tuple[KeyArn, ...] = ()
    endpoint: Endpoint | None = None
    scratch: ScratchSettings | None = None


class Cache(Model, frozen=True):
    """A Redis replication group, optionally in a Global Datastore."""

    # What people call it.
    name: Name
    replication_group: Identifier
    # The Global Datastore's identifier, when there is one.
    global_datastore: MaybeIdentifier = ""
    endpoint: Endpoint | None = None


class Routing(Model, frozen=True):
    """How users are led to another region: alias records in `zone`, or ARC routing controls.

    `controls` maps each region to its routing control's ARN. `endpoints` are the ARC cluster's five
    regional endpoints, which answer when whole regions do not.
    """

    zone: HostedZone | None = None
    # Region to the ARN of its ARC routing control.
    controls: dict[Region, RoutingControl] = {}
    endpoints: dict[Region, HttpsUrl] = {}


class Recovery(Model, frozen=True):
    """What recovery promises, and what it may do without a person. See docs/recovery.md."""

    # Whether the control plane's stack is deployed in the recovery region too: it is told of promotions.
    standby: bool = False
    # How long it may take until users are served again.
    rto: Duration = Duration(4 * 3600)
    # How much of the newest data may be lost.
    rpo: Duration = Duration(3600)
    # In-region failovers that a signal may start: nothing is lost by them.
    automatic: tuple[Literal["database", "cache"], ...] = ()
    # How long after a failover the same one is refused.
    cooldown: Duration = Duration(3600)
    # No answer by then ends the failover before it began.
    approve_within: Duration = Duration(4 * 3600)
    # How long backups are kept.
    retention: Duration = Duration(30 * 86400)
    # How old the newest snapshot may be.
    snapshot_age: Duration = Duration(26 * 3600)
    # S3 buckets whose objects must be replicated to the recovery region.
    buckets: tuple[Bucket, ...] = ()
    # Node groups of the recovery region's cluster, and the nodes each needs before services start.
    nodes: dict[str, Count] = {}
    routing: Routing | None = None
