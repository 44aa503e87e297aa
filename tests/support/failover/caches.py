"""Caches of one region that take time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from candlefish.errors import Misconfigured
from candlefish.failover.facts import CacheFacts
from tests.support.failover.catalog import AWAY, HOME

if TYPE_CHECKING:
    from tests.support.failover.world import World


class FakeCaches:
    """`failover.ports.Caches` of a world."""

    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def read(self, group: str, datastore: str) -> CacheFacts:
        world = self.world

        def look() -> CacheFacts:
            return CacheFacts(
                name="",
                group=group if self.region == HOME else f"{group}-away",
                status=world.cache_status,
                automatic_failover=True,
                members=4,
                primaries=dict(world.primaries),
                address=f"sessions.{self.region}.cache.example",
                datastore=datastore,
                datastore_status=world.datastore_status,
                global_primary=world.global_primary,
                regions={HOME: ("sessions", "associated"), AWAY: ("sessions-away", "associated")},
            )

        result: CacheFacts = world.call(self.region, look)
        return result

    def fail_over(self, group: str, node_group: str) -> None:
        world = self.world

        def act() -> None:
            if world.cache_status != "available":
                raise Misconfigured(f"{group} is {world.cache_status}")

            def begin_() -> None:
                world.cache_status = "modifying"
                world.clock.later(world.work, end)

            def end() -> None:
                name, zone = world.primaries[node_group]
                world.primaries[node_group] = (
                    name[:-1] + ("2" if name.endswith("1") else "1"),
                    zone[:-1] + ("c" if zone[-1] != "c" else "a"),
                )
                world.cache_status = "available"
                world.cache_failovers.append(node_group)

            world.clock.later(world.settle, begin_)

        world.call(self.region, act)

    def promote(self, datastore: str, region: str, group: str) -> None:
        world = self.world

        def act() -> None:
            if world.datastore_status != "available" or world.global_primary == region:
                raise Misconfigured(
                    f"{datastore} is {world.datastore_status} with its primary in {world.global_primary}"
                )

            def begin_() -> None:
                world.datastore_status = "modifying"
                world.clock.later(world.work, end)

            def end() -> None:
                world.datastore_status, world.global_primary = "available", region
                world.promotions.append(f"{datastore}:{region}")

            world.clock.later(world.settle, begin_)

        world.call(self.region, act)
