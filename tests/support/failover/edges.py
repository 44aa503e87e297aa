"""What points at databases and looks into them: secrets, DNS records, the probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.failover.world import World

from typing import Any

from candlefish.catalog.model import (
    Database,
)
from candlefish.errors import Unavailable
from candlefish.failover.facts import SecretFacts


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
        result: str = self.world.call("route53", lambda: self.world.dns[name])
        return result

    def point(self, zone: str, name: str, value: str) -> None:
        self.world.call("route53", lambda: self.world.dns.update({name: value}))


class FakeProbe:
    """`failover.ports.Probe` of a world: answers where a database takes writes."""

    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def begin_epoch(self, database: Database, host: str, epoch: int) -> dict[str, Any]:
        def act() -> dict[str, Any]:
            instance = next(i for i in self.world.instances.values() if i.address == host)
            if not instance.takes_writes(self.world.fences()):
                raise Unavailable(f"{host} takes no writes")
            row = {"epoch": epoch, "written_at": self.world.clock.at, "last_beat": instance.beat}
            return dict(instance.epochs.setdefault(epoch, row))

        result: dict[str, Any] = self.world.call(self.region, act)
        return result
