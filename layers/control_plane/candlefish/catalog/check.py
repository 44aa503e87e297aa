"""What types cannot say about a catalog: references, graphs, limits and promises across its parts.

Each check is a function of the catalog that yields what it found; `load` puts file and line to it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import available_timezones

from candlefish.catalog.model import (
    Catalog,
    Duration,
    Replicas,
    Resources,
    Step,
    Strategy,
    suggest,
)
from candlefish.catalog.problems import Path
from candlefish.catalog.read import effective

# ALB: 100 rules a load balancer, not counting default rules. A service has its own, and one for
# smoke tests while it is released.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
MAX_RULES = 100
RULES_PER_SERVICE = 2
# ALB: a host condition holds at most 128 characters.
MAX_HOST = 128
# Step Functions ends an execution after a year.
YEAR = Duration(365 * 86400)


class Finding(NamedTuple):
    """Something wrong at a path of the catalog, and how to mend it."""

    path: Path
    what: str
    fix: str


def check(catalog: Catalog) -> Iterator[Finding]:
    """Everything that is wrong across the catalog."""
    for one in CHECKS:
        yield from one(catalog)


def _unknown(path: Path, kind: str, name: str, known: Iterable[str]) -> Finding:
    return Finding(path, f"there is no {kind} {name!r}", suggest(name, known))


# --- services -----------------------------------------------------------------------------


def references(catalog: Catalog) -> Iterator[Finding]:
    for name, service in catalog.services.items():
        for index, other in enumerate(service.depends_on):
            if other not in catalog.services:
                yield _unknown(("services", name, "depends_on", index), "service", other, catalog.services)
        if service.judge not in catalog.policies:
            yield _unknown(("services", name, "judge"), "judge policy", service.judge, catalog.policies)
    for name, strategy in catalog.strategies.items():
        for index, step in enumerate(strategy.steps):
            watch = step.judge or step.bake
            if watch and watch.policy and watch.policy not in catalog.policies:
                path = ("strategies", name, "steps", index, step.kind, "policy")
                yield _unknown(path, "judge policy", watch.policy, catalog.policies)
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        if environment.strategy not in catalog.strategies:
            yield _unknown((*here, "strategy"), "strategy", environment.strategy, catalog.strategies)
        for service_name, override in environment.overrides.items():
            there: Path = (*here, "overrides", service_name)
            if service_name not in catalog.services:
                yield _unknown(there, "service", service_name, catalog.services)
            if override.judge and override.judge not in catalog.policies:
                yield _unknown((*there, "judge"), "judge policy", override.judge, catalog.policies)


def dependency_cycles(catalog: Catalog) -> Iterator[Finding]:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> Iterator[Finding]:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            index = catalog.services[trail[-1]].depends_on.index(name)
            path = ("services", trail[-1], "depends_on", index)
            yield Finding(path, f"services depend on each other: {cycle}", "remove one of these dependencies")
        elif name in catalog.services and name not in done:
            for other in catalog.services[name].depends_on:
                yield from visit(other, (*trail, name))
            done.add(name)

    for name in catalog.services:
        yield from visit(name, ())


def repetitions(catalog: Catalog) -> Iterator[Finding]:
    """Entries of a list that must differ."""
    for name, service in catalog.services.items():
        here: Path = ("services", name)
        variables = [*service.env, *(secret.env for secret in service.secrets)]
        yield from _repeated((*here, "secrets"), variables, "environment variable", offset=len(service.env))
        for field in ("depends_on", "smoke_paths", "writable_paths", "metrics"):
            yield from _repeated((*here, field), list(getattr(service, field)), "entry")
    for name, environment in catalog.environments.items():
        for field in ("databases", "caches", "freezes"):
            names = [thing.name for thing in getattr(environment, field)]
            yield from _repeated(("environments", name, field), names, "name", field="name")


def _repeated(
    path: Path, values: list[str], kind: str, offset: int = 0, field: str = ""
) -> Iterator[Finding]:
    for index, value in enumerate(values):
        if value in values[:index] and index >= offset:
            here = (*path, index - offset, *([field] if field else []))
            yield Finding(here, f"{kind} {value!r} is there twice", "keep one")


def sizes(catalog: Catalog) -> Iterator[Finding]:
    for name, service in catalog.services.items():
        yield from _range(("services", name, "replicas"), service.replicas)
        yield from _limits(("services", name, "resources"), service.resources)
    for name, environment in catalog.environments.items():
        if environment.replicas:
            yield from _range(("environments", name, "replicas"), environment.replicas)
        for service_name, override in environment.overrides.items():
            path = ("environments", name, "overrides", service_name)
            if override.replicas:
                yield from _range((*path, "replicas"), override.replicas)
            if override.resources:
                yield from _limits((*path, "resources"), override.resources)
        if environment.cost.low > environment.cost.high:
            yield Finding(
                ("environments", name, "cost"),
                f"the low end {environment.cost.low:g} is above the high end {environment.cost.high:g}",
                "swap them",
            )


def _range(path: Path, replicas: Replicas) -> Iterator[Finding]:
    if replicas.min > replicas.max:
        yield Finding(path, f"min {replicas.min} is above max {replicas.max}", "raise max or lower min")


_UNITS = {"m": Decimal("0.001"), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as the catalog writes them: `250m` is 0.25, `1Gi` is 2^30."""
    number = text.rstrip("mKiGM")
    return Decimal(number) * _UNITS.get(text[len(number) :], Decimal(1))


def _limits(path: Path, resources: Resources) -> Iterator[Finding]:
    for field in ("cpu", "memory"):
        request, limit = getattr(resources, field), getattr(resources, f"{field}_limit")
        if quantity(request) > quantity(limit):
            what = f"the request {request} is above the limit {limit}"
            yield Finding((*path, f"{field}_limit"), what, f"write at least {request}")
        if quantity(request) == 0:
            yield Finding(
                (*path, field), "a request of nothing is no request", "write what it needs, like 100m"
            )


# --- strategies ---------------------------------------------------------------------------

_NEEDS_TWO_SLOTS = ("weight", "judge", "smoke")


def strategies(catalog: Catalog) -> Iterator[Finding]:
    for name, strategy in catalog.strategies.items():
        here = ("strategies", name)
        yield from (_rolling if strategy.in_place else _weighted)(here, strategy)
        for index, step in enumerate(strategy.steps):
            if step.approve and step.approve.within > YEAR:
                what = f"an approval of {step.approve.within} outlives the execution, which ends after 365d"
                yield Finding(
                    (*here, "steps", index, "approve", "within"), what, "write 365d or less; a day is usual"
                )
        total = sum(_longest(step) for step in strategy.steps) + strategy.ready_within + strategy.hold_at_most
        if total > YEAR:
            what = f"all steps together may take {Duration(total)}, and an execution ends after 365d"
            yield Finding((*here, "steps"), what, "shorten the longest")


def _longest(step: Step) -> float:
    watch, asked = step.judge or step.bake, step.approve or step.smoke or step.hook
    return watch.at_most if watch else asked.within if asked else 0.0


def _rolling(here: Path, strategy: Strategy) -> Iterator[Finding]:
    for index, step in enumerate(strategy.steps):
        if step.kind in _NEEDS_TWO_SLOTS:
            yield Finding(
                (*here, "steps", index, step.kind),
                f"a rolling strategy updates in place, so there are no two versions to {step.kind}",
                "remove the step (bake, approve and hook remain), or write kind: canary",
            )
    if strategy.rollback_window:
        what = "a rolling strategy keeps no previous version at capacity"
        yield Finding((*here, "rollback_window"), what, "remove rollback_window, or write kind: blue_green")


def _weighted(here: Path, strategy: Strategy) -> Iterator[Finding]:
    weights = [(index, step.weight) for index, step in enumerate(strategy.steps) if step.weight is not None]
    for (_, before), (index, weight) in pairwise(weights):
        if weight <= before:
            what = f"weight {weight} does not follow {before}"
            yield Finding(
                (*here, "steps", index, "weight"), what, "let each weight be larger than the one before"
            )
    if not weights or weights[-1][1] != 100:
        last = f"the last weight is {weights[-1][1]}" if weights else "no step sets a weight"
        yield Finding((*here, "steps"), f"{last}, so the version never takes over", "end with weight: 100")
    between = [(index, weight) for index, weight in weights if 0 < weight < 100]
    if strategy.kind == "canary" and not between:
        what = "a canary needs a share of the traffic before all of it"
        yield Finding(
            (*here, "steps"), what, "add a step like weight: 10 and a judge, or write kind: blue_green"
        )
    if strategy.kind == "blue_green":
        for index, weight in between:
            what = f"a blue-green switch has no weight {weight}"
            yield Finding((*here, "steps", index, "weight"), what, "write 0 or 100, or kind: canary")
    weight_now = 0
    for index, step in enumerate(strategy.steps):
        weight_now = weight_now if step.weight is None else step.weight
        if step.judge and not 0 < weight_now < 100:
            what = f"at weight {weight_now} there is nothing to compare"
            yield Finding((*here, "steps", index, "judge"), what, "put judge after a weight from 1 to 99")
        if step.smoke and weight_now:
            what = f"smoke tests come after weight {weight_now}, when users already see the version"
            yield Finding((*here, "steps", index, "smoke"), what, "put smoke before the first weight")


# --- environments -------------------------------------------------------------------------


def places(catalog: Catalog) -> Iterator[Finding]:
    """Regions, networks and time zones that exist; no two environments in one place."""
    regions, zones = _regions(), available_timezones()
    seen: dict[tuple[str, ...], str] = {}
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        named: list[tuple[Path, str]] = [
            ((*here, field), getattr(environment, field)) for field in ("region", "recovery_region")
        ]
        for index, database in enumerate(environment.databases):
            if database.replica:
                named.append(((*here, "databases", index, "replica", "region"), database.replica.region))
        for path, region in named:
            if region not in regions:
                yield Finding(path, f"{region!r} is no region that botocore knows", suggest(region, regions))
        if environment.region == environment.recovery_region:
            what = f"the recovery region is the region itself, {environment.region}"
            yield Finding((*here, "recovery_region"), what, "name another region")
        if environment.timezone not in zones:
            yield _unknown((*here, "timezone"), "time zone", environment.timezone, zones)
        for index, cidr in enumerate(environment.ingress_cidrs):
            try:
                ipaddress.ip_network(cidr)
            except ValueError as error:
                yield Finding((*here, "ingress_cidrs", index), str(error), "write a network like 10.0.0.0/16")
        place = (environment.account, environment.region, environment.cluster, environment.namespace)
        if place in seen:
            what = f"{seen[place]} already has namespace {environment.namespace} of {environment.cluster}"
            yield Finding((*here, "namespace"), what, "give each environment its own namespace")
        seen.setdefault(place, name)


def _regions() -> set[str]:
    from botocore.loaders import Loader  # type: ignore[import-untyped]

    partitions = Loader().load_data("partitions")["partitions"]
    return {region for partition in partitions for region in partition["regions"] if "global" not in region}


def hosts(catalog: Catalog) -> Iterator[Finding]:
    """One service a host, and no more services than a load balancer has rules for."""
    for name, environment in catalog.environments.items():
        seen: dict[str, str] = {}
        for service in catalog.services.values():
            host = effective(service, environment).host
            overridden = service.name in environment.overrides and environment.overrides[service.name].host
            path = (
                ("environments", name, "overrides", service.name)
                if overridden
                else ("services", service.name)
            )
            if host in seen:
                what = f"{host} already belongs to {seen[host]} in {name}"
                yield Finding((*path, "host"), what, "give each service a host of its own")
            if len(host) > MAX_HOST:
                what = f"{host} has {len(host)} characters in {name}, a load balancer takes {MAX_HOST}"
                yield Finding((*path, "host"), what, "shorten it")
            seen.setdefault(host, service.name)
    rules = RULES_PER_SERVICE * len(catalog.services)
    if rules > MAX_RULES:
        what = (
            f"{len(catalog.services)} services need {rules} listener rules, a load balancer has {MAX_RULES}"
        )
        yield Finding(
            ("services",), what, "split the catalog over two load balancers, each with a stack of its own"
        )


def production(catalog: Catalog) -> Iterator[Finding]:
    """What production promises: it never sleeps, and a second person approves what goes there."""
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        if not environment.production:
            if "prod" in name and "pre" not in name and "non" not in name:
                what = f"{name!r} sounds like production but is not marked as such"
                yield Finding((*here, "production"), what, "write production: true, or rename it")
            continue
        if environment.schedule:
            yield Finding((*here, "schedule"), "production never sleeps", "remove schedule")
        strategy = catalog.strategies.get(environment.strategy)
        if strategy and not any(step.approve and step.approve.four_eyes for step in strategy.steps):
            what = f"strategy {strategy.name!r} lets a version into production without a second person"
            yield Finding((*here, "strategy"), what, "use one with an approve step and four_eyes: true")
        approvers = [person.name for person in catalog.people.values() if person.approver]
        if len(approvers) < 2:
            what = f"production needs two approvers, since nobody approves their own release; there are {len(approvers)}"
            yield Finding(("people",), what, "mark one more person with approver: true")


def recovery(catalog: Catalog) -> Iterator[Finding]:
    for name, environment in catalog.environments.items():
        for index, database in enumerate(environment.databases):
            if database.replica and database.replica.region == environment.region:
                path = ("environments", name, "databases", index, "replica", "region")
                what = f"the replica of {database.name} is in the region that it is to survive"
                yield Finding(path, what, f"write {environment.recovery_region}")


CHECKS: tuple[Callable[[Catalog], Iterator[Finding]], ...] = (
    references,
    dependency_cycles,
    repetitions,
    sizes,
    strategies,
    places,
    hosts,
    production,
    recovery,
)
