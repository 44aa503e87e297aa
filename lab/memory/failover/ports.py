"""What one region answers for, in memory."""

from __future__ import annotations

from functools import partial

from candlefish.failover.ports import RegionPorts
from lab.memory.failover.caches import MemoryCaches
from lab.memory.failover.databases import MemoryDatabases
from lab.memory.failover.edges import MemoryProbe, MemorySecrets
from lab.memory.failover.regions import Regions


def region_ports(regions: Regions, region: str) -> RegionPorts:
    """The ports of one of the regions, as bootstrap has them for each."""
    return RegionPorts(
        MemoryDatabases(regions, region),
        MemoryCaches(regions, region),
        MemorySecrets(regions, region),
        MemoryProbe(regions.sentinel, regions.now, partial(regions.call, region)),
    )
