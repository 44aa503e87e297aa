"""Places that exist, hosts that differ, and what production promises."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import cache

from candlefish.catalog.hours import time_zones
from candlefish.catalog.model import Catalog, suggest
from candlefish.catalog.problems import CatalogProblem, Path, unknown
from candlefish.catalog.read import effective

# ALB: 100 rules a load balancer, not counting default rules. A service has its own, and one for
# smoke tests while it is released.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
MAX_RULES = 100
RULES_PER_SERVICE = 2
# ALB: a host condition holds at most 128 characters.
MAX_HOST = 128


def places(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Regions, networks and time zones that exist; no two environments in one place."""
    regions, zones = _regions(), time_zones()
    seen: dict[tuple[str, ...], str] = {}
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        named: list[tuple[Path, str]] = [
            ((*here, field), region)
            for field in ("region", "recovery_region")
            if (region := getattr(environment, field))
        ]
        for index, database in enumerate(environment.databases):
            if database.replica:
                named.append(((*here, "databases", index, "replica", "region"), database.replica.region))
        for path, region in named:
            if region not in regions:
                yield CatalogProblem(
                    path, f"{region!r} is no region that botocore knows", suggest(region, regions)
                )
        if environment.region == environment.recovery_region:
            what = f"the recovery region is the region itself, {environment.region}"
            yield CatalogProblem((*here, "recovery_region"), what, "name another region")
        if environment.recovery_region and f"{name}-recovery" in catalog.environments:
            what = f"samconfig.toml calls the section of {name}'s stack in its recovery region so"
            yield CatalogProblem(
                ("environments", f"{name}-recovery"), what, "call this environment otherwise"
            )
        if environment.timezone not in zones:
            yield unknown((*here, "timezone"), "time zone", environment.timezone, zones)
        for index, cidr in enumerate(environment.ingress_cidrs):
            try:
                ipaddress.ip_network(cidr)
            except ValueError as error:
                yield CatalogProblem(
                    (*here, "ingress_cidrs", index), str(error), "write a network like 10.0.0.0/16"
                )
        place = (environment.account, environment.region, environment.cluster, environment.namespace)
        if place in seen:
            what = f"{seen[place]} already has namespace {environment.namespace} of {environment.cluster}"
            yield CatalogProblem((*here, "namespace"), what, "give each environment its own namespace")
        seen.setdefault(place, name)


@cache
def _regions() -> frozenset[str]:
    from botocore.loaders import Loader

    partitions = Loader().load_data("partitions")["partitions"]
    return frozenset(
        region for partition in partitions for region in partition["regions"] if "global" not in region
    )


def hosts(catalog: Catalog) -> Iterator[CatalogProblem]:
    """One service a host, and no more services than a load balancer has rules for."""
    reported: set[Path] = set()
    for name, environment in catalog.environments.items():
        seen: dict[str, str] = {}
        for service in catalog.services.values():
            if not (host := effective(service, environment).host):
                continue
            overridden = service.name in environment.overrides and environment.overrides[service.name].host
            path = (
                ("environments", name, "overrides", service.name)
                if overridden
                else ("services", service.name)
            )
            if host in seen and path not in reported:
                reported.add(path)
                what = f"{host} already belongs to {seen[host]} in {name}"
                yield CatalogProblem((*path, "host"), what, "give each service a host of its own")
            if len(host) > MAX_HOST:
                what = f"{host} has {len(host)} characters in {name}, a load balancer takes {MAX_HOST}"
                yield CatalogProblem((*path, "host"), what, "shorten it")
            seen.setdefault(host, service.name)
    balanced = sum(service.balanced for service in catalog.services.values())
    rules = RULES_PER_SERVICE * balanced
    if rules > MAX_RULES:
        what = f"{balanced} services need {rules} listener rules, a load balancer has {MAX_RULES}"
        yield CatalogProblem(
            ("services",), what, "split the catalog over two load balancers, each with a stack of its own"
        )


def production(catalog: Catalog) -> Iterator[CatalogProblem]:
    """What production promises: it never sleeps, and a second person approves what goes there."""
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        if not environment.production:
            if name.startswith(("prod", "live")):
                what = f"{name!r} sounds like production but is not marked as such"
                yield CatalogProblem((*here, "production"), what, "write production: true, or rename it")
            continue
        if environment.schedule:
            yield CatalogProblem((*here, "schedule"), "production never sleeps", "remove schedule")
        strategy = catalog.strategies.get(environment.strategy)
        if strategy and not any(step.approve and step.approve.four_eyes for step in strategy.steps):
            what = f"strategy {strategy.name!r} lets a version into production without a second person"
            fix = "use one with an approve step and four_eyes: true"
            yield CatalogProblem((*here, "strategy"), what, fix, rests_on=("strategies", strategy.name))
        approvers = [person.name for person in catalog.people.values() if person.approver]
        if len(approvers) < 2:
            what = f"production needs two approvers, there are {len(approvers)}: nobody approves their own"
            yield CatalogProblem(("people",), what, "mark one more person with approver: true")
