"""From a service's record and the catalog to the objects of one slot."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.catalog.model import Catalog
from candlefish.catalog.read import effective
from candlefish.release.manifests import Workload, from_bundle, render
from candlefish.release.model import Manifest
from candlefish.release.ports import Bundles
from candlefish.service.model import Slot, Version
from candlefish.service.record import ServiceRecord


def objects_of(
    record: ServiceRecord, slot: Slot, version: Version, *, release: str, catalog: Catalog, bundles: Bundles
) -> Sequence[Manifest]:
    """The Kubernetes objects that run `version` in `slot`: rendered, or from the version's bundle.

    Each says that the record's generation writes it.
    """
    env = catalog.environments[record.environment]
    service = effective(catalog.service(record.service), env)
    workload = Workload(
        service=service,
        environment=env,
        slot=slot,
        image=version.image,
        version=version.short,
        release=release,
        generation=record.generation,
        replicas=service.replicas,
        target_group=record.slots[slot].target_group,
        # A service without secrets needs no role of its own.
        role=f"arn:aws:iam::{env.account}:role/candlefish-{env.name}-{service.name}"
        if service.secrets
        else "",
        bundle=version.bundle,
        bundle_digest=version.bundle_digest,
        ready_within=catalog.strategies[env.strategy].ready_within,
        dependencies=tuple(effective(catalog.service(name), env) for name in service.depends_on),
        services=tuple(catalog.services),
    )
    if version.bundle:
        return from_bundle(bundles.read(version.bundle, version.bundle_digest), workload)
    return render(workload)
