"""References between parts, the graph of services, sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from candlefish.catalog.crontab import wrong_with
from candlefish.catalog.hours import time_zones
from candlefish.catalog.model import OUR_VARIABLES, Catalog, Cron, Duration, Job, Replicas, Resources
from candlefish.catalog.problems import CatalogProblem, Path, unknown

# Its release waits for it, and others wait for the release.
LONGEST_JOB = Duration(6 * 3600)
# Of a CronJob nobody waits for a run.
LONGEST_RUN = Duration(24 * 3600)


def references(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name, service in catalog.services.items():
        for index, other in enumerate(service.depends_on):
            if other not in catalog.services:
                yield unknown(("services", name, "depends_on", index), "service", other, catalog.services)
        if service.judge not in catalog.policies:
            yield unknown(("services", name, "judge"), "judge policy", service.judge, catalog.policies)
    for name, strategy in catalog.strategies.items():
        for index, step in enumerate(strategy.steps):
            watch = step.judge or step.bake
            if watch and watch.policy and watch.policy not in catalog.policies:
                path = ("strategies", name, "steps", index, step.kind, "policy")
                yield unknown(path, "judge policy", watch.policy, catalog.policies)
    for name, environment in catalog.environments.items():
        here = ("environments", name)
        if environment.strategy not in catalog.strategies:
            yield unknown((*here, "strategy"), "strategy", environment.strategy, catalog.strategies)
        for service_name, override in environment.overrides.items():
            there: Path = (*here, "overrides", service_name)
            if service_name not in catalog.services:
                yield unknown(there, "service", service_name, catalog.services)
            if override.judge and override.judge not in catalog.policies:
                yield unknown((*there, "judge"), "judge policy", override.judge, catalog.policies)


def jobs(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Jobs that nobody could tell apart, that run the service itself, or whose variables have two values."""
    for name, service in catalog.services.items():
        own = {secret.env: name for secret in service.secrets}
        names = [job.name for job in service.jobs]
        yield from _repeated(("services", name, "jobs"), names, "job", field="name")
        for index, job in enumerate(service.jobs):
            here: Path = ("services", name, "jobs", index)
            what = f"a job of {job.within} is none that a release can wait for"
            yield from _runs(here, job, f"job {job.name}", LONGEST_JOB, what)
            yield from _taken((*here, "env"), job.env, own)


def cron(catalog: Catalog) -> Iterator[CatalogProblem]:
    """CronJobs whose schedule means nothing, that nobody could tell apart, or that run the service itself."""
    zones = time_zones()
    for name, service in catalog.services.items():
        own = {secret.env: name for secret in service.secrets}
        names = [each.name for each in service.cron]
        yield from _repeated(("services", name, "cron"), names, "CronJob", field="name")
        for index, each in enumerate(service.cron):
            here: Path = ("services", name, "cron", index)
            if why := wrong_with(each.schedule):
                yield CatalogProblem((*here, "schedule"), why, "write five fields like 30 3 * * *, or @daily")
            if each.timezone not in zones:
                yield unknown((*here, "timezone"), "time zone", each.timezone, zones)
            what = f"a run of {each.within} is none that a CronJob can have"
            yield from _runs(here, each, f"CronJob {each.name}", LONGEST_RUN, what)
            whole = f"{name}-{each.name}"
            if other := next(
                (o for o in catalog.services if len(o) > len(name) and f"{whole}-".startswith(f"{o}-")), ""
            ):
                what = f"it is called {whole} in the cluster, which is a name of {other}"
                yield CatalogProblem((*here, "name"), what, "call it otherwise")
            yield from _taken((*here, "env"), each.env, own)


def _runs(
    here: Path, each: Job | Cron, what: str, longest: Duration, too_long: str
) -> Iterator[CatalogProblem]:
    """Whether what runs beside a service runs something of its own, ends in time, and has resources that can be given."""
    if not (each.command or each.args):
        yield CatalogProblem(
            here,
            f"{what} says nothing to run, so it would be the service itself, which never ends",
            "write command or args",
        )
    if each.within > longest or not each.within:
        yield CatalogProblem((*here, "within"), too_long, f"write a time up to {longest}")
    if each.resources:
        yield from _limits((*here, "resources"), each.resources)


def dependency_cycles(catalog: Catalog) -> Iterator[CatalogProblem]:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> Iterator[CatalogProblem]:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            index = catalog.services[trail[-1]].depends_on.index(name)
            path = ("services", trail[-1], "depends_on", index)
            yield CatalogProblem(
                path, f"services depend on each other: {cycle}", "remove one of these dependencies"
            )
        elif name in catalog.services and name not in done:
            for other in catalog.services[name].depends_on:
                yield from visit(other, (*trail, name))
            done.add(name)

    for name in catalog.services:
        yield from visit(name, ())


def repetitions(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Entries of a list that must differ."""
    for name, service in catalog.services.items():
        here: Path = ("services", name)
        variables = [*service.env, *(secret.env for secret in service.secrets)]
        yield from _repeated((*here, "secrets"), variables, "environment variable", offset=len(service.env))
        for field in (
            "depends_on",
            "smoke_paths",
            "writable_paths",
            "metrics",
            "sidecars",
            "image_pull_secrets",
        ):
            yield from _repeated((*here, field), list(getattr(service, field)), "entry")
    for name, environment in catalog.environments.items():
        for field in ("databases", "caches", "freezes"):
            names = [thing.name for thing in getattr(environment, field)]
            yield from _repeated(("environments", name, field), names, "name", field="name")


def variables(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Variables that would have two values, of which one wins in silence."""
    for name, service in catalog.services.items():
        yield from _taken(("services", name, "env"), service.env, {})
        for index, secret in enumerate(service.secrets):
            yield from _taken(("services", name, "secrets", index, "env"), (secret.env,), {}, of_map=False)
    of_all = {secret.env: service.name for service in catalog.services.values() for secret in service.secrets}
    for name, environment in catalog.environments.items():
        yield from _taken(("environments", name, "env"), environment.env, of_all)
        for service_name, override in environment.overrides.items():
            found = catalog.services.get(service_name)
            own = {secret.env: service_name for secret in found.secrets} if found else {}
            path: Path = ("environments", name, "overrides", service_name, "env")
            yield from _taken(path, override.env, own)


def _taken(
    path: Path, names: Iterable[str], secrets: Mapping[str, str], *, of_map: bool = True
) -> Iterator[CatalogProblem]:
    for name in names:
        here = (*path, name) if of_map else path
        if name in OUR_VARIABLES:
            what = f"{name} is set by the control plane"
            yield CatalogProblem(here, what, "call it something else")
        elif name in secrets:
            what = f"a secret of {secrets[name]} has the variable {name} already"
            yield CatalogProblem(here, what, "keep one of the two")


def _repeated(
    path: Path, values: list[str], kind: str, offset: int = 0, field: str = ""
) -> Iterator[CatalogProblem]:
    for index, value in enumerate(values):
        if value in values[:index] and index >= offset:
            here = (*path, index - offset, *([field] if field else []))
            yield CatalogProblem(here, f"{kind} {value!r} is there twice", "keep one")


def sizes(catalog: Catalog) -> Iterator[CatalogProblem]:
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
        if environment.cost and environment.cost.low > environment.cost.high:
            yield CatalogProblem(
                ("environments", name, "cost"),
                f"the low end {environment.cost.low:g} is above the high end {environment.cost.high:g}",
                "swap them",
            )


def _range(path: Path, replicas: Replicas) -> Iterator[CatalogProblem]:
    if replicas.min > replicas.max:
        yield CatalogProblem(
            path, f"min {replicas.min} is above max {replicas.max}", "raise max or lower min"
        )


_UNITS = {"m": Decimal("0.001"), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as the catalog writes them: `250m` is 0.25, `1Gi` is 2^30."""
    number = text.rstrip("mKiGM")
    return Decimal(number) * _UNITS.get(text[len(number) :], Decimal(1))


def _limits(path: Path, resources: Resources) -> Iterator[CatalogProblem]:
    for field in ("cpu", "memory"):
        request, limit = getattr(resources, field), getattr(resources, f"{field}_limit")
        if not (request and limit):  # Stand-ins for what could not be read.
            continue
        if quantity(request) > quantity(limit):
            what = f"the request {request} is above the limit {limit}"
            yield CatalogProblem((*path, f"{field}_limit"), what, f"write at least {request}")
        if quantity(request) == 0:
            yield CatalogProblem(
                (*path, field), "a request of nothing is no request", "write what it needs, like 100m"
            )
