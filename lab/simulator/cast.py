"""Who and what days are played with: an environment's services, people and databases, chosen by what they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Environment, Service
from lab import CATALOG
from lab.simulator.kinds import with_kinds

# Services that a day's trains are made of.
CHAIN = 3


class Cast(msgspec.Struct, frozen=True):
    """What one environment's days are drawn from.

    `weight` is how often it is chosen; `things` are what can be failed over, each a label of alerts and a name.
    """

    environment: str
    weight: int
    sleeps: bool
    services: tuple[str, ...]
    # Services that no load balancer knows, and those of them that are one StatefulSet.
    inside: tuple[str, ...]
    stateful: tuple[str, ...]
    people: tuple[str, ...]
    approvers: tuple[str, ...]
    things: tuple[tuple[str, str], ...]
    databases: bool


@cache
def usual() -> tuple[Cast, ...]:
    """The casts of the catalog that is played with (`CANDLEFISH_CATALOG`), with services of every kind."""
    return casts(with_kinds(load(CATALOG)))


def casts(catalog: Catalog) -> tuple[Cast, ...]:
    """One for each environment, the most important first."""
    services = tuple(sorted(_chain(catalog)))
    without = set(_without_traffic(catalog)) - set(services)
    stateful = tuple(sorted(name for name in without if catalog.services[name].kind == "stateful"))
    inside = tuple(sorted(without - set(stateful)))
    people = sorted(catalog.people.values(), key=lambda person: person.approver)
    found = [
        Cast(
            environment.name,
            _weight(catalog, environment),
            environment.schedule is not None,
            services,
            inside,
            stateful,
            tuple(person.name for person in people),
            tuple(person.name for person in people if person.approver),
            (
                *(("database", each.name) for each in environment.databases),
                *(("cache", each.name) for each in environment.caches),
            ),
            bool(environment.databases),
        )
        for environment in catalog.environments.values()
    ]
    return tuple(sorted(found, key=lambda each: (-each.weight, each.environment)))


def _weight(catalog: Catalog, environment: Environment) -> int:
    if environment.production:
        return 6
    return 2 if catalog.strategies[environment.strategy].kind == "rolling" else 3


def _chain(catalog: Catalog) -> list[str]:
    """The longest chain of services that call one another, no longer than a train, filled up with others."""
    longest = max((_calls(catalog, service) for service in catalog.services.values()), key=len)[:CHAIN]
    others = [name for name, each in catalog.services.items() if each.balanced and name not in longest]
    return [*longest, *others[: CHAIN - len(longest)]]


def _calls(catalog: Catalog, service: Service) -> list[str]:
    further = [_calls(catalog, catalog.services[name]) for name in service.depends_on]
    return [service.name, *max(further, key=len, default=[])]


def _without_traffic(catalog: Catalog) -> Iterator[str]:
    return (name for name, each in catalog.services.items() if not each.balanced)
