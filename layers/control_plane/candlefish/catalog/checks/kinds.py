"""What a service of each kind and protocol must say, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from candlefish.catalog.model import Catalog, Replicas, Service, ServiceOverride
from candlefish.catalog.model.pods import is_ours
from candlefish.catalog.problems import CatalogProblem, Path

# What each kind is, in the words of a message.
WORDS = {
    "web": "a service behind a load balancer",
    "cluster": "a service that is reached only inside the cluster",
    "worker": "a worker, which nobody calls,",
    "stateful": "a stateful service",
}
# Fields that mean nothing for a kind, and why.
NO_BALANCER = "there is no load balancer in front of it"
NO_VOLUMES = "its Pods come and go, in two slots; volumes of their own have those of kind: stateful"
FOREIGN: dict[str, dict[str, str]] = {
    "web": {"stateful": NO_VOLUMES},
    "cluster": {"host": NO_BALANCER, "websockets": NO_BALANCER, "stateful": NO_VOLUMES},
    "stateful": {
        "host": NO_BALANCER,
        "websockets": NO_BALANCER,
        "smoke_paths": "it is updated in place, so there is no moment without traffic",
        "autoscale": "Pods with data of their own are not made and taken by load",
    },
    "worker": {
        "host": NO_BALANCER,
        "websockets": NO_BALANCER,
        "smoke_paths": "nobody can ask it anything",
        "protocol": "nobody speaks with it",
        "stateful": NO_VOLUMES,
    },
}
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Service)}
FIXES = {
    "port": "add port, like 8080, or write kind: worker",
    "health_path": "add health_path, like /health",
    "host": "add host, like api.example.com, or write kind: cluster",
}


def kinds(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Fields that a kind needs and lacks, or has and cannot mean."""
    for found in _kinds(catalog):
        yield found._replace(rests_on=("services", found.path[1], "kind"))
    for name, environment in catalog.environments.items():
        for service_name, override in environment.overrides.items():
            service = catalog.services.get(service_name)
            if service and not service.balanced:
                here: Path = ("environments", name, "overrides", service_name)
                yield from _foreign_override(here, override, service.kind)


def _kinds(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name, service in catalog.services.items():
        here: Path = ("services", name)
        for field in _missing(service):
            yield CatalogProblem((*here, field), f"missing: {WORDS[service.kind]} needs it", FIXES[field])
        for field, why in FOREIGN[service.kind].items():
            if getattr(service, field) != _DEFAULTS[field]:
                yield CatalogProblem(
                    (*here, field), f"{WORDS[service.kind].rstrip(',')} has none: {why}", "take it out"
                )
        yield from _odd(here, service)


def _missing(service: Service) -> Iterator[str]:
    if service.kind != "worker" and not service.port:
        yield "port"
    asked = service.asked_at or (service.health_command and not service.balanced)
    if service.kind != "worker" and not asked:
        yield "health_path"
    if service.balanced and not service.host:
        yield "host"


def _odd(here: Path, service: Service) -> Iterator[CatalogProblem]:
    if service.kind == "worker" and service.health_path and not service.port:
        what = "there is a path to ask and no port to ask it at"
        yield CatalogProblem((*here, "health_path"), what, "add port, or write health_command")
    if service.kind == "stateful":
        yield from _stateful(here, service)
    if service.protocol != "grpc":
        return
    if service.health_path and service.health_path.count("/") != 2:
        what = f"{service.health_path} is no method of gRPC"
        fix = "write /package.Service/Method, or leave it out for /grpc.health.v1.Health/Check"
        yield CatalogProblem((*here, "health_path"), what, fix)
    for index, _ in enumerate(service.smoke_paths):
        what = "a gRPC service has methods, which a GET does not ask"
        yield CatalogProblem((*here, "smoke_paths", index), what, "take it out; its health is asked instead")
    if service.websockets:
        yield CatalogProblem((*here, "websockets"), "gRPC has none", "take it out, or write protocol: http1")


def _stateful(here: Path, service: Service) -> Iterator[CatalogProblem]:
    yield from _one_number(here, service.replicas)
    seen: dict[str, int] = {}
    for index, volume in enumerate(service.stateful.volumes):
        at = (*here, "stateful", "volumes", index)
        for field, value in (("name", volume.name), ("path", volume.path)):
            if seen.setdefault(f"{field} {value}", index) != index:
                yield CatalogProblem((*at, field), f"another volume has {value} as well", "write another one")
        if is_ours(volume.name):
            yield CatalogProblem((*at, "name"), "a volume of ours is called so", "write another one")
        if volume.path in service.writable_paths:
            what = f"{volume.path} is one of writable_paths as well, which forget what is written"
            yield CatalogProblem((*at, "path"), what, "take it out of writable_paths")


def _foreign_override(here: Path, override: ServiceOverride, kind: str) -> Iterator[CatalogProblem]:
    for field in ("host", "load_balancer"):
        if getattr(override, field):
            yield CatalogProblem((*here, field), f"the service has none: {NO_BALANCER}", "take it out")
    if kind == "stateful" and override.replicas:
        yield from _one_number(here, override.replicas)


def _one_number(here: Path, replicas: Replicas) -> Iterator[CatalogProblem]:
    if replicas.min != replicas.max:
        what = f"{WORDS['stateful']} has no range: nothing scales Pods that have data of their own"
        yield CatalogProblem((*here, "replicas", "max"), what, f"write {replicas.min}, as min says")


def judged(catalog: Catalog) -> Iterator[CatalogProblem]:
    """Services that their judge policy cannot judge: the load balancer counts none, or none of their errors."""
    for environment in (None, *catalog.environments.values()):
        for name, service in catalog.services.items():
            override = environment.overrides.get(name) if environment else None
            if environment and not (override and override.judge):
                continue
            policy = catalog.policies.get(override.judge if override else service.judge)
            why = why_uncounted(service)
            if policy is None or not why:
                continue
            path: Path = ("services", name, "judge")
            if environment:
                path = ("environments", environment.name, "overrides", name, "judge")
            if not any(reading.counts for reading in policy.sources.values()):
                fix = (
                    "name a policy whose sources.prometheus says which counters are its own (a preset, or requests and "
                    "errors), or whose sources.custom_metrics names metrics of CloudWatch (docs/judge.md, What is counted where no load balancer counts); what counts nothing takes "
                    "one too: nothing is seen of it then, and the strategy's unclear says whether a person is asked"
                )
                what = f"policy {policy.name!r} does not say what counts {_nouns(service)}: {why}"
                yield CatalogProblem(path, what, fix, rests_on=("policies", policy.name))


def _nouns(service: Service) -> str:
    return "its jobs" if service.kind == "worker" else "its requests"


def why_uncounted(service: Service) -> str:
    """Why the load balancer's own counts do not judge a service; empty when they do."""
    if not service.balanced:
        return NO_BALANCER
    if service.protocol == "grpc":
        return "a load balancer sees a failed call of gRPC as a 200, whose grpc-status comes after the body"
    return ""
