"""Two regions in memory: what must never be is noticed, by database; time is the kernel's."""

from __future__ import annotations

import msgspec

from candlefish.catalog.model import Database
from lab.memory.failover.ports import region_ports
from lab.memory.failover.regions import Regions
from lab.simulator.kernel import Kernel
from tests.support.failover.catalog import AWAY, DATABASE, ENVIRONMENT, FENCE, HOME

OTHER = Database(name="ledger", identifier="ledger", groups=("sg-01010101",), fence_group=FENCE)


def regions(kernel: Kernel) -> Regions:
    environment = msgspec.structs.replace(ENVIRONMENT, databases=(DATABASE, OTHER))
    return Regions(environment, kernel.now, kernel.later)


def test_a_promotion_beside_a_primary_that_takes_writes_is_noticed_when_it_is_done() -> None:
    kernel = Kernel()
    made = regions(kernel)
    made.beats()
    assert made.violations == [], "two databases have a writer each"
    databases = region_ports(made, AWAY).databases
    databases.promote(DATABASE, "orders-away", planned=False, retention_days=7)
    kernel.run(kernel.now() + 79)
    assert made.violations == []
    kernel.run(kernel.now() + 2)
    assert len(made.violations) == 1 and "['orders', 'orders-away']" in made.violations[0]


def test_a_fence_closes_to_who_comes_and_a_restart_to_who_is_there() -> None:
    kernel = Kernel()
    made = regions(kernel)
    home = region_ports(made, HOME).databases
    orders = made.instances[HOME, "orders"]
    home.set_groups(DATABASE, "orders", (FENCE,))
    kernel.run(kernel.now() + 21)
    assert orders.groups == (FENCE,) and orders.takes_writes(made.fences())
    home.restart(DATABASE, "orders")
    kernel.run(kernel.now() + 81)
    assert not orders.takes_writes(made.fences())
    region_ports(made, AWAY).databases.promote(DATABASE, "orders-away", planned=False, retention_days=7)
    kernel.run(kernel.now() + 81)
    made.beats()
    assert (made.promotions, made.violations) == (["orders-away"], [])
