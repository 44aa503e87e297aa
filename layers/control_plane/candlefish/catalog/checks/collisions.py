"""What two environments of one account and region, or two services, cannot both have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.problems import CatalogProblem, Path
from candlefish.catalog.read import effective

# What the stack takes as its environment's name (template.yaml, Environment): names of functions and buckets begin so.
SHORTEST, LONGEST = 2, 20
SLOTS = ("blue", "green")


def collisions(catalog: Catalog) -> Iterator[CatalogProblem]:
    """One owner for everything that only one can have."""
    yield from _names(catalog)
    yield from _hosts(catalog)
    yield from _clusters(catalog)
    # What is claimed -> who claimed it first, and in which words.
    claimed: dict[tuple[str, ...], str] = {}
    for name, environment in catalog.environments.items():
        for path, thing, words in (*_groups(name, environment, catalog), *_resources(name, environment)):
            key = (environment.account, *thing)
            if claimed.setdefault(key, name) != name:
                what = f"{words} is {claimed[key]}'s already, in the same account"
                yield CatalogProblem(path, what, "give each environment its own")


def _clusters(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Who sleeps takes the cluster's nodes along, and with them whoever else runs there."""
    for name, environment in catalog.environments.items():
        place = (environment.account, environment.region, environment.cluster)
        beside = [
            other.name
            for other in catalog.environments.values()
            if (other.account, other.region, other.cluster) == place
            and other.namespace != environment.namespace
        ]
        if environment.schedule and beside:
            what = (
                f"{name} sleeps and takes the nodes of cluster {environment.cluster} from {', '.join(beside)}"
            )
            fix = "give it a cluster of its own, or remove schedule"
            yield CatalogProblem(("environments", name, "schedule"), what, fix)


def _names(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name in catalog.environments:
        if not SHORTEST <= len(name) <= LONGEST:
            what = (
                f"{name!r} has {len(name)} characters, a stack's names leave room for {SHORTEST} to {LONGEST}"
            )
            yield CatalogProblem(("environments", name), what, "rename the file")
    for service, slot in product(catalog.services, SLOTS):
        if f"{service}-{slot}" in catalog.services:
            what = f"slot {slot} of {service} is called so, as are its Deployment and its Service"
            yield CatalogProblem(("services", f"{service}-{slot}"), what, "call this service otherwise")


def _hosts(catalog: Catalog) -> Iterator[CatalogProblem]:
    """One rule of a load balancer takes a host's requests; the other environment would never get one."""
    seen: dict[tuple[str, str, str], str] = {}
    reported: set[tuple[str, str]] = set()
    for name, environment in catalog.environments.items():
        for service in catalog.services.values():
            if not (host := effective(service, environment).host):
                continue
            key = (environment.account, environment.region, host)
            other = seen.setdefault(key, name)
            if other == name or (other, name) in reported:
                continue
            own = service.name in environment.overrides and environment.overrides[service.name].host
            path: Path = (
                ("environments", name, "overrides", service.name, "host")
                if own
                else ("environments", name, "host_prefix")
            )
            if not own:
                # One prefix is one mistake, however many services it is about.
                reported.add((other, name))
            what = f"{host} is led to {other} already, in the same account and region"
            yield CatalogProblem(path, what, "give each environment its own prefix, or override the host")


Claim = tuple[Path, tuple[str, ...], str]


def _groups(name: str, environment: Environment, catalog: Catalog) -> Iterable[Claim]:
    """Names of target groups, as far as they are not cut: those carry a hash."""
    for service in catalog.services:
        group = f"{service}-{name}"
        yield (
            ("environments", name),
            ("target groups", environment.region, group),
            f"target group {group}-blue or -green",
        )


def _resources(name: str, environment: Environment) -> Iterable[Claim]:
    """What a failover or a night of one environment would do to another's."""
    here: Path = ("environments", name)
    thing: tuple[str, ...]
    for index, database in enumerate(environment.databases):
        path: Path = (*here, "databases", index)
        copies = [(path, environment.region, database.identifier)]
        if database.replica:
            copies.append(((*path, "replica"), database.replica.region, database.replica.identifier))
        for there, region, identifier in copies:
            thing = ("database", database.kind, region, identifier)
            yield (*there, "identifier"), thing, f"database {identifier} in {region}"
        if database.secret:
            yield (
                (*path, "secret"),
                ("secret", environment.region, database.secret),
                f"secret {database.secret}",
            )
        if database.endpoint:
            thing = ("endpoint", database.endpoint.zone, database.endpoint.name)
            yield (*path, "endpoint", "name"), thing, f"endpoint {database.endpoint.name}"
    for index, cache in enumerate(environment.caches):
        path = (*here, "caches", index)
        thing = ("cache", environment.region, cache.replication_group)
        yield (*path, "replication_group"), thing, f"replication group {cache.replication_group}"
        if cache.global_datastore:
            thing = ("datastore", cache.global_datastore)
            yield (*path, "global_datastore"), thing, f"Global Datastore {cache.global_datastore}"
        if cache.endpoint:
            thing = ("endpoint", cache.endpoint.zone, cache.endpoint.name)
            yield (*path, "endpoint", "name"), thing, f"endpoint {cache.endpoint.name}"
    if environment.recovery.routing:
        for region, control in environment.recovery.routing.controls.items():
            path = (*here, "recovery", "routing", "controls", region)
            yield path, ("routing control", control), f"routing control {control}"
