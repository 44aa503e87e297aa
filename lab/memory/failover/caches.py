"""Caches of one region that take time."""

from __future__ import annotations

from candlefish.errors import Misconfigured
from candlefish.failover.facts import CacheFacts
from lab.memory.failover.regions import CacheGroup, Regions


class MemoryCaches:
    """`failover.ports.Caches`: acts show after a moment and have their effect when the work is done."""

    def __init__(self, regions: Regions, region: str) -> None:
        self.regions, self.region = regions, region

    def _find(self, group: str, datastore: str = "") -> CacheGroup:
        for each in self.regions.caches.values():
            if group in each.members.values() or (datastore and datastore == each.datastore):
                return each
        raise Misconfigured(f"there is no {group or datastore} in {self.region}")

    def read(self, group: str, datastore: str) -> CacheFacts:
        def look() -> CacheFacts:
            found = self._find(group, datastore)
            return CacheFacts(
                name="",
                group=found.members.get(self.region, group),
                status=found.status,
                automatic_failover=True,
                members=4,
                primaries=dict(found.primaries),
                address=found.address(self.region),
                datastore=datastore,
                datastore_status=found.datastore_status if datastore else "",
                global_primary=found.global_primary if datastore else "",
                regions={r: (name, "associated") for r, name in found.members.items()} if datastore else {},
            )

        return self.regions.call(self.region, look)

    def fail_over(self, group: str, node_group: str) -> None:
        regions = self.regions

        def act() -> None:
            found = self._find(group)
            if found.status != "available":
                raise Misconfigured(f"{group} is {found.status}")

            def begin() -> None:
                found.status = "modifying"
                regions.later(regions.work, end)

            def end() -> None:
                name, zone = found.primaries[node_group]
                found.primaries[node_group] = (
                    name[:-1] + ("2" if name.endswith("1") else "1"),
                    zone[:-1] + ("c" if zone[-1] != "c" else "a"),
                )
                found.status = "available"
                regions.cache_failovers.append(node_group)

            regions.later(regions.settle, begin)

        regions.call(self.region, act)

    def promote(self, datastore: str, region: str, group: str) -> None:
        regions = self.regions

        def act() -> None:
            found = self._find(group, datastore)
            if found.datastore_status != "available" or found.global_primary == region:
                raise Misconfigured(
                    f"{datastore} is {found.datastore_status} with its primary in {found.global_primary}"
                )

            def begin() -> None:
                found.datastore_status = "modifying"
                regions.later(regions.work, end)

            def end() -> None:
                found.datastore_status, found.global_primary = "available", region
                regions.promotions.append(f"{datastore}:{region}")

            regions.later(regions.settle, begin)

        regions.call(self.region, act)
