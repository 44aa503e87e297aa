"""Services that no load balancer knows, for days: a catalog that has none gets a worker, one inside the cluster and a
stateful one."""

from __future__ import annotations

import msgspec

from candlefish.catalog.model import CUSTOM, Autoscale, Catalog, Reading, Replicas, Service, Stateful, Volume
from lab.choices import alone
from lab.simulator.jobs import NAMESPACE

# How what is without a load balancer is judged on days: by what it publishes (`Jobs.custom`).
_WORK = Reading(
    namespace=NAMESPACE,
    requests="Jobs",
    errors="Failed",
    dimensions={"Service": "{service}", "Slot": "{slot}"},
)


def with_kinds(catalog: Catalog) -> Catalog:
    """The catalog with at least one service of each kind, and its workers judged by what they publish."""
    like = catalog.services[alone(catalog)]
    services = dict(catalog.services)
    if all(each.kind != "worker" for each in services.values()):
        worker = _like(like, f"{like.name}-jobs")
        services[worker.name] = msgspec.structs.replace(
            worker, kind="worker", port=0, health_path="", prometheus=None
        )
    if all(each.kind != "cluster" for each in services.values()):
        inside = _like(like, f"{like.name}-inside")
        services[inside.name] = msgspec.structs.replace(inside, kind="cluster")
    if all(each.kind != "stateful" for each in services.values()):
        data = _like(like, f"{like.name}-data")
        volume = Volume(name="data", path="/data", size="10Gi")
        services[data.name] = msgspec.structs.replace(
            data,
            kind="stateful",
            replicas=Replicas(min=3, max=3),
            autoscale=Autoscale(),
            stateful=Stateful(volumes=(volume,)),
        )
    policies = dict(catalog.policies)
    for name, service in services.items():
        if not service.balanced:
            known = policies[service.judge]
            policy = msgspec.structs.replace(known, name=f"{known.name}-work", sources={CUSTOM: _WORK})
            policies[policy.name] = policy
            services[name] = msgspec.structs.replace(service, judge=policy.name)
    return msgspec.structs.replace(catalog, services=services, policies=policies)


def _like(service: Service, name: str) -> Service:
    image = f"{service.image.rpartition('/')[0]}/{name}"
    return msgspec.structs.replace(
        service,
        name=name,
        image=image,
        host="",
        protocol="http1",
        websockets=False,
        smoke_paths=(),
        depends_on=(),
        secrets=(),
        jobs=(),
    )
