"""What failovers need from the world.

One adapter instance works in one region: whoever wires a plan hands over one instance a region, so that
it can be read off the code which region each call needs to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from candlefish.catalog.model import Catalog, Database, Environment
from candlefish.errors import Misconfigured
from candlefish.failover.facts import CacheFacts, Copy, Lag, NodeGroup, SecretFacts
from candlefish.failover.model import FailoverEntry, Run
from candlefish.ports import EventPublisher, Now
from candlefish.service.ports import ServiceRecords, StableVersions
from candlefish.traffic.ports import Rules

if TYPE_CHECKING:
    # What makes manifests is loaded by who deploys them.
    from candlefish.release.ports import Bundles, Cluster


class Runs(Protocol):
    """Failover runs and their timelines, in the region that the executor runs in."""

    def current(self, target: str) -> Run | None:
        """The newest run of a target (a consistent read)."""

    def create(self, run: Run) -> Run:
        """Store a run if its epoch is new, else return the one that is stored."""

    def update(self, target: str, change: Callable[[Run], Run]) -> Run:
        """Read, change, store if nobody else stored in between; otherwise again from the start.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """

    def append(self, run: Run, entry: FailoverEntry) -> None:
        """Add a line to a run's timeline."""

    def entries(self, run: Run) -> list[FailoverEntry]:
        """The timeline of a run, oldest first."""

    def recent(self, target: str = "", limit: int = 20) -> list[Run]:
        """The newest runs of a target, or of all targets, newest first."""


class Databases(Protocol):
    """RDS instances and Aurora clusters of one region. Every act may be repeated."""

    def read(self, database: Database, identifier: str) -> Copy | None:
        """The copy of that name, None when there is none.

        Raises
        ------
        Unavailable, Throttled
            The region did not answer.
        """

    def lag(self, database: Database, identifier: str, since: float) -> tuple[Lag, ...]:
        """The replica's lag since then, oldest first."""

    def fail_over(self, database: Database, identifier: str) -> None:
        """Let another zone of the region take over."""

    def set_groups(self, database: Database, identifier: str, groups: tuple[str, ...]) -> None:
        """Replace the copy's security groups."""

    def restart(self, database: Database, identifier: str) -> None:
        """Restart the copy's writer, which ends every connection."""

    def promote(self, database: Database, identifier: str, *, planned: bool, retention_days: int) -> None:
        """Make a replica a primary of its own. Asking again for a primary is no error."""

    def protect(self, database: Database, identifier: str, *, retention_days: int) -> None:
        """Switch on backups and a standby in another zone."""

    def rename(self, database: Database, identifier: str, to: str) -> None:
        """Give a copy another name."""

    def replicate(
        self, database: Database, identifier: str, *, source: Copy, like: Copy | None, groups: tuple[str, ...]
    ) -> None:
        """Create a replica of a copy in another region, sized and placed like `like`."""


class Caches(Protocol):
    """Redis replication groups and Global Datastores, asked in one region."""

    def read(self, group: str, datastore: str) -> CacheFacts:
        """What the region shows; parts that it does not are named in `unreadable`."""

    def fail_over(self, group: str, node_group: str) -> None:
        """Let a replica of a node group become its primary (TestFailover)."""

    def promote(self, datastore: str, region: str, group: str) -> None:
        """Make a region the datastore's primary; asked in that region."""


class Secrets(Protocol):
    """Secrets Manager of one region."""

    def read(self, name: str) -> SecretFacts:
        """The host in the secret.

        Raises
        ------
        InvalidInput
            The secret is not JSON with a `host`.
        """

    def set_host(self, name: str, host: str) -> None:
        """Write the host; a secret that follows another region is cut off from it first."""


class DnsRecords(Protocol):
    """CNAME records in Route 53."""

    def read(self, zone: str, name: str) -> str:
        """What a record points at; empty when there is none."""

    def point(self, zone: str, name: str, value: str) -> None:
        """Point a record at a value."""


class Probe(Protocol):
    """Reads and writes the sentinel of a database, from inside its network."""

    def begin_epoch(self, database: Database, host: str, epoch: int) -> dict[str, Any]:
        """Write the epoch's row once and read it back.

        Returns `epoch`, `written_at` and `last_beat`: when the newest heartbeat that survived was
        written, epoch seconds, None when there is none.
        """


class NodeGroups(Protocol):
    """Managed node groups of the site's cluster."""

    def read(self, wanted: Mapping[str, int]) -> dict[str, NodeGroup]:
        """The wanted groups that exist, by name."""

    def raise_to(self, name: str, nodes: int) -> None:
        """Ask for at least this many nodes."""


class Routes(Protocol):
    """Where the users of each host are led."""

    def read(self, hosts: Sequence[str]) -> dict[str, str]:
        """The load balancer (DNS name) that each host leads to; empty for none."""

    def lead(self, hosts: Sequence[str]) -> None:
        """Lead the users of all hosts to this site, in one change."""


# --- what a plan's steps are judged and done with ---------------------------------------------


class RegionPorts(msgspec.Struct, frozen=True):
    """What one region answers for."""

    databases: Databases
    caches: Caches
    secrets: Secrets
    probe: Probe


class SitePorts(msgspec.Struct, frozen=True):
    """The application's site of this stack: its cluster, its load balancer and who is led there.

    Runs in the region that shall serve. A service there has slots, a rule and a record like anywhere.
    `balancer` is the load balancer's DNS name.
    """

    region: str
    balancer: str
    records: ServiceRecords
    stable: StableVersions
    cluster: Cluster
    bundles: Bundles
    rules: Rules
    nodes: NodeGroups
    routes: Routes


class FailoverPorts(msgspec.Struct, frozen=True):
    """Everything that a failover is decided by, done with and written down in.

    Which region must answer for what: everything in the run's target region, and Route 53's or ARC's own
    endpoints. The source region is asked for its copy of a database and to fence it; when it does not
    answer, that is a fact like any other, and the run goes on without it once a person has accepted what
    that means.
    """

    environment: Environment
    catalog: Catalog
    runs: Runs
    events: EventPublisher
    regions: Mapping[str, RegionPorts]
    dns: DnsRecords
    # Built when a plan needs it: a load balancer that does not answer must not stop a database's failover.
    site: Callable[[], SitePorts | None]
    now: Now
    # A move lives longer than whoever takes a service over waits for older writers of weights and to the cluster:
    # what an act writes, it begins to write within so many seconds.
    writers_live: float = 20.0
    cluster_writers_live: float = 60.0

    def of(self, region: str) -> RegionPorts:
        """What a region answers for.

        Raises
        ------
        Misconfigured
            Nothing is wired for it.
        """
        try:
            return self.regions[region]
        except KeyError:
            raise Misconfigured(
                f"nothing is wired for region {region or 'without a name'}; see bootstrap"
            ) from None

    def require_site(self) -> SitePorts:
        """This stack's site.

        Raises
        ------
        Misconfigured
            It has none.
        """
        site = self.site()
        if site is None:
            raise Misconfigured("this control plane has no cluster; start the failover from the one that has")
        return site
