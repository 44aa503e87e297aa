"""Copies, fences and routes that a failover can rely on."""

from __future__ import annotations

from collections.abc import Iterator

from candlefish.catalog.model import Catalog, Environment, Routing
from candlefish.catalog.problems import CatalogProblem, Path


def recovery(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Replicas that survive the region, fences that keep clients out, and a way to lead users elsewhere."""
    for name, environment in catalog.environments.items():
        here: Path = ("environments", name)
        for index, database in enumerate(environment.databases):
            there: Path = (*here, "databases", index)
            if database.replica and database.replica.region == environment.region:
                what = f"the replica of {database.name} is in the region that it is to survive"
                yield CatalogProblem(
                    (*there, "replica", "region"),
                    what,
                    f"write {environment.recovery_region or 'another one'}",
                )
            for path, copy in ((there, database), ((*there, "replica"), database.replica)):
                if copy and copy.fence_group and copy.fence_group in copy.groups:
                    what = f"{copy.fence_group} fences {database.name} and lets its clients in"
                    yield CatalogProblem((*path, "fence_group"), what, "name a group without inbound rules")
        if not environment.recovery_region:
            yield from _nowhere(here, environment)
        if environment.recovery.routing:
            yield from _routing((*here, "recovery", "routing"), environment, environment.recovery.routing)


def _nowhere(path: Path, environment: Environment) -> Iterator[CatalogProblem]:
    """What is declared for a recovery region that is not named."""
    declared = {
        "standby": environment.recovery.standby,
        "buckets": bool(environment.recovery.buckets),
        "routing": environment.recovery.routing is not None,
    }
    for field, said in declared.items():
        if said:
            what = "this is about a recovery region, and the environment names none"
            yield CatalogProblem((*path, "recovery", field), what, "write recovery_region, or remove this")
    for index, cache in enumerate(environment.caches):
        if cache.global_datastore:
            what = f"the Global Datastore of {cache.name} leads to a recovery region, and the environment names none"
            yield CatalogProblem(
                (*path, "caches", index, "global_datastore"), what, "write recovery_region, or remove this"
            )


def _routing(path: Path, environment: Environment, routing: Routing) -> Iterator[CatalogProblem]:
    if not routing.zone and not routing.controls:
        yield CatalogProblem(path, "nothing says how users are led", "write zone, or controls and endpoints")
    if routing.controls and not routing.endpoints:
        what = "routing controls are reached through the ARC cluster's endpoints, and there are none"
        yield CatalogProblem((*path, "endpoints"), what, "write all five, each as region: https://...")
    for region in environment.regions:
        if routing.controls and region not in routing.controls:
            yield CatalogProblem(
                (*path, "controls"), f"{region} has no routing control", f"write {region}: <its ARN>"
            )
