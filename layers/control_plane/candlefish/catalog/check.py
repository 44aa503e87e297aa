"""What types cannot say about a catalog: references, graphs, limits and promises across its parts.

Each check is a function of the catalog that yields what it found; `load` puts file and line to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from candlefish.catalog.checks import (
    calendars,
    collisions,
    console,
    environments,
    kinds,
    people,
    pods,
    recovery,
    responses,
    services,
    sources,
    strategies,
)
from candlefish.catalog.model import Catalog
from candlefish.catalog.problems import CatalogProblem

CHECKS: tuple[Callable[[Catalog], Iterator[CatalogProblem]], ...] = (
    services.references,
    services.dependency_cycles,
    services.repetitions,
    services.variables,
    services.sizes,
    services.jobs,
    services.cron,
    pods.secret_ways,
    pods.pod_accounts,
    pods.network_peers,
    kinds.kinds,
    kinds.judged,
    strategies.strategies,
    sources.readings,
    environments.places,
    environments.hosts,
    environments.production,
    collisions.collisions,
    calendars.calendars,
    calendars.schedules,
    calendars.freezes,
    people.identities,
    console.consoles,
    recovery.recovery,
    responses.responses,
)


def check(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Everything that is wrong across the catalog."""
    for one in CHECKS:
        yield from one(catalog)
