"""A small world for failovers: two regions whose databases and caches take time, and can be killed in.

It is no mock: acts have effects after a while, replicas lag, closed security groups leave open
connections open, and everything that must never happen is checked at the moment it would.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from candlefish.catalog.model import Catalog
from candlefish.errors import Unavailable
from candlefish.failover.facts import SecretFacts
from candlefish.failover.ports import FailoverPorts, RegionPorts
from lab.memory.events import MemoryEvents
from tests.support.clock import Clock
from tests.support.failover.caches import FakeCaches
from tests.support.failover.catalog import AWAY, AWAY_FENCE, AWAY_OPEN, CATALOG, FENCE, HOME, OPEN
from tests.support.failover.databases import FakeDatabases, Instance
from tests.support.failover.edges import FakeDnsRecords, FakeProbe, FakeSecrets

if TYPE_CHECKING:
    from lab.memory.failover.runs import MemoryRuns


class Killed(BaseException):
    """The executor's process died here."""


class World:
    """Both regions, what points at them, the stored runs; and a trap that kills the executor."""

    def __init__(self, *, settle: float = 20.0, work: float = 60.0) -> None:
        self.clock = Clock(1_000_000.0)
        self.settle, self.work = settle, work
        now = self.clock.at
        self.instances: dict[tuple[str, str], Instance] = {
            (HOME, "orders"): Instance("orders", HOME, "primary", f"{HOME}a", (OPEN,), beat=now),
            (AWAY, "orders-away"): Instance(
                "orders-away",
                AWAY,
                "replica",
                f"{AWAY}a",
                (AWAY_OPEN,),
                follows="orders",
                standby=False,
                retention=0,
            ),
        }
        self.down: set[str] = set()
        self.denied: set[str] = set()
        self.lag = 4.0
        self.no_metrics = False
        self.dns = {
            "db.internal.example": self.instances[HOME, "orders"].address,
            "cache.internal.example": "sessions.us-west-2.cache.example",
        }
        self.secret = SecretFacts("db.old.example", replica=True)
        self.promotions: list[str] = []
        self.failovers: list[str] = []
        self.cache_failovers: list[str] = []
        self.split_brain_accepted = False
        self.violations: list[str] = []
        self.primaries = {"0001": ("sessions-001", f"{HOME}a"), "0002": ("sessions-101", f"{HOME}b")}
        self.cache_status = "available"
        self.global_primary = HOME
        self.datastore_status = "available"
        # The trap: at the given number of calls the executor dies, before or after the call.
        self.calls = 0
        self.kill_at: set[int] = set()
        self.site: Any = None
        self.events = MemoryEvents()
        self.outcome: dict[str, Any] = {}

    # --- the executor ---------------------------------------------------------------------

    def call(self, region: str, act: Callable[[], Any]) -> Any:
        """One call to the outside: may kill the caller before or after, or find the region down."""
        self.trap()
        if region in self.down:
            raise Unavailable(f"{region} does not answer")
        result = act()
        self.trap()
        return result

    def trap(self) -> None:
        self.calls += 1
        if self.calls in self.kill_at:
            raise Killed(self.calls)

    def ports(self, store: MemoryRuns, catalog: Catalog = CATALOG) -> FailoverPorts:
        return FailoverPorts(
            environment=catalog.environment("production"),
            catalog=catalog,
            runs=store,
            events=self.events,
            regions={
                region: RegionPorts(
                    FakeDatabases(self, region),
                    FakeCaches(self, region),
                    FakeSecrets(self, region),
                    FakeProbe(self.sentinel, self.clock, partial(self.call, region)),
                )
                for region in (HOME, AWAY)
            },
            dns=FakeDnsRecords(self),
            site=lambda: self.site,
            now=self.clock,
        )

    def sentinel(self, host: str) -> tuple[dict[int, dict[str, Any]], float]:
        """What is written in the database at a host, and when its newest heartbeat was."""
        instance = next(i for i in self.instances.values() if i.address == host)
        if not instance.takes_writes(self.fences()):
            raise Unavailable(f"{host} takes no writes")
        return instance.epochs, instance.beat

    def fences(self) -> set[str]:
        return {FENCE, AWAY_FENCE}

    def check(self) -> None:
        """What must hold at every moment of every run."""
        writers = [i for i in self.instances.values() if i.takes_writes(self.fences())]
        if len(writers) > 1 and not self.split_brain_accepted:
            self.violations.append(f"two writers at {self.clock.at}: {[w.identifier for w in writers]}")

    def beats(self) -> None:
        """Clients write through whatever takes writes; replicas replay what they follow."""
        for instance in self.instances.values():
            if instance.takes_writes(self.fences()) and instance.region not in self.down:
                instance.beat = self.clock.at
        for instance in self.instances.values():
            if instance.role == "replica":
                source = next((i for i in self.instances.values() if i.identifier == instance.follows), None)
                if source is not None and source.region not in self.down:
                    instance.replayed_to = max(instance.replayed_to, self.clock.at - self.lag)
                    instance.beat = min(source.beat, instance.replayed_to)
        self.check()
