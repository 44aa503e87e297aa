"""What points at databases and looks into them: secrets, DNS records, the probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candlefish.catalog.model import Database
from candlefish.errors import Misconfigured
from candlefish.failover.facts import SecretFacts
from lab.memory.failover.regions import Regions


class MemorySecrets:
    """`failover.ports.Secrets` of one region; a secret that follows another region gets what is written there."""

    def __init__(self, regions: Regions, region: str) -> None:
        self.regions, self.region = regions, region

    def read(self, name: str) -> SecretFacts:
        def look() -> SecretFacts:
            try:
                return self.regions.secrets[self.region, name]
            except KeyError:
                raise Misconfigured(f"there is no secret {name} in {self.region}") from None

        return self.regions.call(self.region, look)

    def set_host(self, name: str, host: str) -> None:
        kept = self.regions.secrets

        def detach() -> None:
            kept[self.region, name] = SecretFacts(kept[self.region, name].host, replica=False)

        def write() -> None:
            kept[self.region, name] = SecretFacts(host, replica=False)
            for (region, other), facts in list(kept.items()):
                if other == name and facts.replica:
                    kept[region, other] = SecretFacts(host, replica=True)

        self.regions.call(self.region, detach)
        self.regions.call(self.region, write)


class MemoryDnsRecords:
    """`failover.ports.DnsRecords`."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions

    def read(self, zone: str, name: str) -> str:
        return self.regions.call("route53", lambda: self.regions.dns.get(name, ""))

    def point(self, zone: str, name: str, value: str) -> None:
        self.regions.call("route53", lambda: self.regions.dns.update({name: value}))


class MemoryProbe:
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
