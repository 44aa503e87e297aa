"""What is known of the world when a failover is decided. `None` always means: could not be read.

Unreadable parts are named in `unreadable` with the reason; nothing here is guessed.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.release.model import Rollout
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord
from candlefish.statuses import FINAL, SETTLED
from candlefish.traffic.ports import TargetHealth

# Among the unreadable parts: the record of an endpoint was read, and a failover could not change it.
FIXED_ENDPOINT = "endpoint that cannot be moved"


class Copy(msgspec.Struct, frozen=True):
    """One copy of a database (an RDS instance or an Aurora cluster), as its own region shows it.

    `status` is RDS's own word. `standby` says that another zone can take over inside the region.
    `groups` are its VPC security groups; `restarted_at` is the newest restart event, 0 for none.
    """

    identifier: str
    region: str
    status: str
    role: Literal["primary", "replica"]
    arn: str = ""
    follows: str = ""
    zone: str = ""
    writer: str = ""
    standby: bool = False
    address: str = ""
    groups: tuple[str, ...] = ()
    restarted_at: float = 0.0
    # The newest failover event inside the region, epoch seconds; 0 for none in the last hour.
    failed_over_at: float = 0.0
    retention_days: int = 0
    # Instances that could answer: an Aurora cluster may have none, an RDS instance is one itself.
    members: int = 1
    # RDS keeps its master password in a secret of its own.
    managed_password: bool = False

    @property
    def available(self) -> bool:
        """It runs, and RDS takes changes of it."""
        return self.status in SETTLED

    @property
    def busy(self) -> bool:
        """RDS takes no change of it now, and will again by itself."""
        return not self.available and self.status not in FINAL


class Lag(msgspec.Struct, frozen=True):
    """One point of the replica's lag metric: at that time it had replayed up to `at - seconds`.

    `stopped`: nothing was replicated then, so it has come no further since.
    """

    at: float
    seconds: float
    stopped: bool = False

    @property
    def replayed_to(self) -> float:
        return self.at - self.seconds


class SecretFacts(msgspec.Struct, frozen=True):
    """The secret in the target region: the host in it, and whether it still follows another region."""

    host: str
    replica: bool


class DatabaseFacts(msgspec.Struct, frozen=True):
    """Both copies of one database and what points at them.

    `copies` maps region to its copy; a region that answers "no such database" has no entry, one
    that does not answer is in `unreadable` under its name.
    """

    name: str
    copies: dict[str, Copy] = {}
    lag: tuple[Lag, ...] = ()
    secret: SecretFacts | None = None
    endpoint: str | None = None
    unreadable: dict[str, str] = {}


class CacheFacts(msgspec.Struct, frozen=True):
    """One replication group in its region, and its Global Datastore if it is in one.

    `primaries` maps node group to (member, zone). `global_primary` is the region that takes writes.
    """

    name: str
    group: str
    status: str = ""
    automatic_failover: bool = False
    members: int = 0
    primaries: dict[str, tuple[str, str]] = {}
    address: str = ""
    failed_over_at: float = 0.0
    datastore: str = ""
    datastore_status: str = ""
    global_primary: str = ""
    # Region -> (replication group, its status inside the datastore).
    regions: dict[str, tuple[str, str]] = {}
    endpoint: str | None = None
    unreadable: dict[str, str] = {}


class SiteServiceFacts(msgspec.Struct, frozen=True):
    """One service at the site that shall serve: what it should run, and what runs there."""

    name: str
    wanted: Version | None = None
    record: ServiceRecord | None = None
    replicas: int | None = None
    needed: int = 1
    rollout: Rollout | None = None
    health: TargetHealth | None = None
    host: str = ""
    route: str | None = None
    unreadable: dict[str, str] = {}


class NodeGroup(msgspec.Struct, frozen=True):
    """A managed node group at the site: nodes asked for, and whether EKS is still changing it."""

    name: str
    desired: int
    needed: int
    status: str


class SiteFacts(msgspec.Struct, frozen=True):
    """The site (cluster and load balancer of one region) that shall serve the application."""

    region: str
    balancer: str
    services: dict[str, SiteServiceFacts] = {}
    nodes: dict[str, NodeGroup] = {}
    unreadable: dict[str, str] = {}


class FailoverWorld(msgspec.Struct, frozen=True):
    """Everything a run's plan needs to know, read at `at`."""

    at: float
    databases: dict[str, DatabaseFacts] = {}
    caches: dict[str, CacheFacts] = {}
    site: SiteFacts | None = None
