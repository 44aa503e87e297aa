"""What a train is made of: its order, and how long it takes at most."""

from __future__ import annotations

from collections.abc import Iterable

from candlefish.catalog.model import Catalog, Strategy
from candlefish.catalog.read import in_dependency_order


def train_order(services: Iterable[str], catalog: Catalog) -> list[str]:
    """Services with their dependencies before them, through services outside the train as well."""
    wanted = set(services)
    return [name for name in in_dependency_order(catalog.services) if name in wanted]


def longest_release(strategy: Strategy) -> float:
    """The most seconds a release of this strategy can take, waiting for people included."""
    total = float(strategy.ready_within)
    for step in strategy.steps:
        for part in (step.judge, step.bake):
            total += part.at_most if part else 0
        for timed in (step.approve, step.smoke, step.hook):
            total += timed.within if timed else 0
        total += strategy.ready_within if step.weight is not None else 0
    return total
