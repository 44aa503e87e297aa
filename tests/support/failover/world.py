"""Both regions of the environment that fails over, and an executor that can be killed in any call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from candlefish.catalog.model import Catalog
from candlefish.failover.facts import SecretFacts
from candlefish.failover.ports import FailoverPorts
from lab.memory.events import MemoryEvents
from lab.memory.failover.edges import MemoryDnsRecords
from lab.memory.failover.ports import region_ports
from lab.memory.failover.regions import Regions
from lab.memory.failover.runs import MemoryRuns
from tests.support.clock import Clock
from tests.support.failover.catalog import AWAY, CATALOG, ENVIRONMENT, HOME

T = TypeVar("T")


class Killed(BaseException):
    """The executor's process died here."""


class World(Regions):
    """Both regions, what points at them; and a trap that kills the executor."""

    def __init__(self, *, settle: float = 20.0, work: float = 60.0) -> None:
        self.clock = Clock(1_000_000.0)
        super().__init__(ENVIRONMENT, self.clock, self.clock.later, settle=settle, work=work)
        for region in (HOME, AWAY):
            self.secrets[region, "app/database"] = SecretFacts("db.old.example", replica=region == AWAY)
        self.cache = self.caches["sessions"]
        # The trap: at the given number of calls the executor dies, before or after the call.
        self.calls = 0
        self.kill_at: set[int] = set()
        self.site: Any = None
        self.events = MemoryEvents()
        self.outcome: dict[str, Any] = {}

    def call(self, region: str, act: Callable[[], T]) -> T:
        """One call to the outside: may kill the caller before or after, or find the region down."""
        self.trap()
        result = super().call(region, act)
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
            regions={region: region_ports(self, region) for region in (HOME, AWAY)},
            dns=MemoryDnsRecords(self),
            site=lambda: self.site,
            now=self.clock,
        )
