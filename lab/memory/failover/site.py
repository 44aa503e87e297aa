"""The nodes of a site, and who is led to it, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from candlefish.failover.facts import NodeGroup
from lab.memory.failover.regions import Regions


class MemoryNodeGroups:
    """`failover.ports.NodeGroups` of the cluster in a region: nodes and status by group; more nodes take time."""

    def __init__(self, regions: Regions, region: str) -> None:
        self.regions, self.region = regions, region
        self.groups = {"general": (1, "ACTIVE")}

    def read(self, wanted: Mapping[str, int]) -> dict[str, NodeGroup]:
        return {
            name: NodeGroup(name, self.groups[name][0], needed, self.groups[name][1])
            for name, needed in wanted.items()
            if name in self.groups
        }

    def raise_to(self, name: str, nodes: int) -> None:
        def act() -> None:
            self.groups[name] = (max(nodes, self.groups[name][0]), "UPDATING")
            self.regions.later(self.regions.work, end)

        def end() -> None:
            self.groups[name] = (self.groups[name][0], "ACTIVE")

        self.regions.call(self.region, act)


class MemoryRoutes:
    """`failover.ports.Routes` of the site in a region: hosts lead elsewhere until they are led to its balancer."""

    def __init__(self, regions: Regions, region: str, balancer: str, elsewhere: str = "") -> None:
        self.regions, self.region = regions, region
        self.balancer, self.elsewhere = balancer, elsewhere
        self.led: dict[str, str] = {}

    def read(self, hosts: Sequence[str]) -> dict[str, str]:
        def look() -> dict[str, str]:
            return {host: self.led.get(host, self.elsewhere) for host in hosts}

        return self.regions.call(self.region, look)

    def lead(self, hosts: Sequence[str]) -> None:
        self.regions.call(self.region, lambda: self.led.update(dict.fromkeys(hosts, self.balancer)))
