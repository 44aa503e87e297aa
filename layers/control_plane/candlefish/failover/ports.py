"""What recovery needs from the world.

One adapter instance works in one region, and says which: whoever wires a plan hands over one
instance a region, so that it can be read off the code which region each call needs to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from candlefish.catalog.model import Database
from candlefish.failover.facts import CacheFacts, Copy, Lag, NodeGroup, SecretFacts, SiteFacts
from candlefish.failover.model import Entry, PlanStep, Run
from candlefish.service.model import Version


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

    def append(self, run: Run, entry: Entry) -> None:
        """Add a line to a run's timeline."""

    def entries(self, run: Run) -> list[Entry]:
        """The timeline of a run, oldest first."""

    def recent(self, target: str = "", limit: int = 20) -> list[Run]:
        """The newest runs of a target, or of all targets, newest first."""


class Databases(Protocol):
    """RDS instances and Aurora clusters of one region. Every act may be repeated."""

    region: str

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

    region: str

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


class Records(Protocol):
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


class Site(Protocol):
    """The cluster, the load balancer and the records of the region this stack runs in."""

    @property
    def region(self) -> str:
        """The region of the site."""

    def look(self, run: Run) -> SiteFacts:
        """What the site should run and what it does; parts that cannot be read are named."""

    def act(self, run: Run, step: PlanStep) -> dict[str, Any]:
        """Bring one step of the application about: `nodes`, `deploy`, `shift` or `route`."""


class StableVersions(Protocol):
    """The stable version of every service, copied to the recovery region whenever one is promoted."""

    def read(self, service: str) -> Version | None:
        """The version that was last promoted where the service runs; None when none ever was."""

    def write(self, service: str, version: Version, at: float) -> None:
        """Remember a promotion; one that is older than what is known is ignored."""


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
