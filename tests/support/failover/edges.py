"""What points at databases and looks into them: secrets, DNS records, the probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from candlefish.catalog.model import Database
from candlefish.failover.facts import SecretFacts

if TYPE_CHECKING:
    from tests.support.failover.world import World


class FakeSecrets:
    """`failover.ports.Secrets` of a world: one secret, wherever it is read."""

    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def read(self, name: str) -> SecretFacts:
        result: SecretFacts = self.world.call(self.region, lambda: self.world.secret)
        return result

    def set_host(self, name: str, host: str) -> None:
        def detach() -> None:
            self.world.secret = SecretFacts(self.world.secret.host, replica=False)

        def write() -> None:
            self.world.secret = SecretFacts(host, replica=False)

        self.world.call(self.region, detach)
        self.world.call(self.region, write)


class FakeDnsRecords:
    """`failover.ports.DnsRecords` of a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, zone: str, name: str) -> str:
        result: str = self.world.call("route53", lambda: self.world.dns.get(name, ""))
        return result

    def point(self, zone: str, name: str, value: str) -> None:
        self.world.call("route53", lambda: self.world.dns.update({name: value}))


class FakeProbe:
    """`failover.ports.Probe`. `sentinel` gives the rows at a host and when its newest heartbeat was written."""

    def __init__(
        self,
        sentinel: Callable[[str], tuple[dict[int, dict[str, Any]], float]],
        now: Callable[[], float],
        call: Callable[[Callable[[], Any]], Any] = lambda act: act(),
    ) -> None:
        self.sentinel, self.now, self.call = sentinel, now, call

    def begin_epoch(self, database: Database, host: str, epoch: int) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            rows, beat = self.sentinel(host)
            row = {"epoch": epoch, "written_at": self.now(), "last_beat": beat}
            return dict(rows.setdefault(epoch, row))

        result: dict[str, Any] = self.call(act)
        return result
