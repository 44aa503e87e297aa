"""Both regions of an environment: copies of its databases and caches, and what points at them.

It is no mock: acts have effects after a while, replicas lag, closed security groups leave open
connections open, and that two copies take writes is noticed at the moment it would be so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from candlefish.catalog.model import Cache, Database, Environment
from candlefish.errors import Unavailable
from candlefish.failover.facts import SecretFacts
from candlefish.ports import Now
from candlefish.statuses import SERVING

T = TypeVar("T")
# Has something happen after so many seconds.
Later = Callable[[float, Callable[[], None]], object]


class Instance(msgspec.Struct):
    """One copy of a database and who is connected to it."""

    identifier: str
    region: str
    role: str
    zone: str
    groups: tuple[str, ...]
    follows: str = ""
    status: str = "available"
    standby: bool = True
    retention: int = 30
    restarted_at: float = 0.0
    failed_over_at: float = 0.0
    connected: bool = True
    replayed_to: float = 0.0
    beat: float = 0.0
    # What an Aurora cluster may have none of, and what RDS makes no replica of.
    members: int = 1
    managed_password: bool = False
    epochs: dict[int, dict[str, Any]] = {}

    @property
    def address(self) -> str:
        return f"{self.identifier}.{self.region}.rds.example"

    def takes_writes(self, fences: set[str]) -> bool:
        reachable = self.connected or not set(self.groups) <= fences
        return self.role == "primary" and self.status in SERVING and reachable


class CacheGroup(msgspec.Struct):
    """A Redis replication group with two node groups; and the Global Datastore it is in, if it is in one."""

    name: str
    # The replication group of each region.
    members: dict[str, str]
    # Of each node group the node that is primary, and its zone.
    primaries: dict[str, tuple[str, str]]
    datastore: str = ""
    global_primary: str = ""
    status: str = "available"
    datastore_status: str = "available"

    def address(self, region: str) -> str:
        return f"{self.name}.{region}.cache.example"


class Regions:
    """The databases and caches that an environment declares (RDS instances; of Aurora as if they were).

    Parameters
    ----------
    later
        Has something happen after so many seconds, by the clock that `now` is of.
    settle, work
        How long an act takes to show, and then to be done; seconds.
    """

    def __init__(
        self, environment: Environment, now: Now, later: Later, *, settle: float = 20.0, work: float = 60.0
    ) -> None:
        self.environment, self.now, self.later = environment, now, later
        self.settle, self.work = settle, work
        self.instances: dict[tuple[str, str], Instance] = {
            (each.region, each.identifier): each
            for database in environment.databases
            for each in self._copies(database)
        }
        self.caches = {each.replication_group: self._group(each) for each in environment.caches}
        # By region and name.
        self.secrets: dict[tuple[str, str], SecretFacts] = {}
        self.dns: dict[str, str] = {}
        for database in environment.databases:
            self._point_at(database)
        for cache in environment.caches:
            if cache.endpoint:
                group = self.caches[cache.replication_group]
                self.dns[cache.endpoint.name] = group.address(environment.region)
        # Regions that do not answer (`route53` is one), copies that the role may not change.
        self.down: set[str] = set()
        self.denied: set[str] = set()
        # What RDS is at after an act has had its effect, each for as long as the act took.
        self.aftermath: tuple[str, ...] = ("backing-up",)
        self.lag = 4.0
        self.no_metrics = False
        # What happened, in its order.
        self.promotions: list[str] = []
        self.failovers: list[str] = []
        self.cache_failovers: list[str] = []
        # What must never be.
        self.violations: list[str] = []
        self.split_brain_accepted = False

    def _copies(self, database: Database) -> Iterator[Instance]:
        home, now = self.environment.region, self.now()
        yield Instance(database.identifier, home, "primary", f"{home}a", database.groups, beat=now)
        if replica := database.replica:
            yield Instance(
                replica.identifier,
                replica.region,
                "replica",
                f"{replica.region}a",
                replica.groups,
                follows=database.identifier,
                standby=False,
                retention=0,
            )

    def _group(self, cache: Cache) -> CacheGroup:
        home, group = self.environment.region, cache.replication_group
        members = {home: group}
        if cache.global_datastore:
            members[self.environment.recovery_region] = f"{group}-away"
        primaries = {"0001": (f"{group}-001", f"{home}a"), "0002": (f"{group}-101", f"{home}b")}
        return CacheGroup(group, members, primaries, cache.global_datastore, home)

    def _point_at(self, database: Database) -> None:
        home = self.environment.region
        address = self.instances[home, database.identifier].address
        if database.endpoint:
            self.dns[database.endpoint.name] = address
        if database.secret:
            host = database.endpoint.name if database.endpoint else address
            self.secrets[home, database.secret] = SecretFacts(host, replica=False)
            if database.replica:
                self.secrets[database.replica.region, database.secret] = SecretFacts(host, replica=True)

    def call(self, region: str, act: Callable[[], T]) -> T:
        """One call to a region; finds it down if it is."""
        if region in self.down:
            raise Unavailable(f"{region} does not answer")
        return act()

    def sentinel(self, host: str) -> tuple[dict[int, dict[str, Any]], float]:
        """What is written in the database at a host, and when its newest heartbeat was.

        Raises
        ------
        Unavailable
            Nothing at that host takes writes.
        """
        instance = next((i for i in self.instances.values() if i.address == host), None)
        if instance is None or not instance.takes_writes(self.fences()):
            raise Unavailable(f"{host} takes no writes")
        return instance.epochs, instance.beat

    def fences(self) -> set[str]:
        """The security groups that let nobody in."""
        databases = self.environment.databases
        fences = {each.fence_group for each in databases}
        return (fences | {each.replica.fence_group for each in databases if each.replica}) - {""}

    def check(self) -> None:
        """Notice if two copies of a database take writes now."""
        for database in self.environment.databases:
            writers = [i for i in self._copies_of(database) if i.takes_writes(self.fences())]
            if len(writers) > 1 and not self.split_brain_accepted:
                self.violations.append(f"two writers at {self.now()}: {[w.identifier for w in writers]}")

    def _copies_of(self, database: Database) -> list[Instance]:
        """The copies of a database, whatever a failback has named them."""
        names = (database.identifier, *((database.replica.identifier,) if database.replica else ()))
        return [i for i in self.instances.values() if i.identifier.partition("-fenced-")[0] in names]

    def beats(self) -> None:
        """Clients write through whatever takes writes; replicas replay what they follow."""
        for instance in self.instances.values():
            if instance.takes_writes(self.fences()) and instance.region not in self.down:
                instance.beat = self.now()
        for instance in self.instances.values():
            if instance.role == "replica":
                source = next((i for i in self.instances.values() if i.identifier == instance.follows), None)
                if source is not None and source.region not in self.down:
                    instance.replayed_to = max(instance.replayed_to, self.now() - self.lag)
                    instance.beat = min(source.beat, instance.replayed_to)
        self.check()
