"""From a service's record and the catalog to the objects of one slot."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.catalog.model import Catalog
from candlefish.catalog.read import effective
from candlefish.release.manifests import Workload, from_bundle, other_images, render
from candlefish.release.model import Manifest
from candlefish.release.payloads import ReleaseRequest
from candlefish.release.ports import Bundles
from candlefish.service.model import SLOTS, Slot, Version
from candlefish.service.record import ServiceRecord


def objects_of(
    record: ServiceRecord, slot: Slot, version: Version, *, release: str, catalog: Catalog, bundles: Bundles
) -> Sequence[Manifest]:
    """The Kubernetes objects that run `version` in `slot`: rendered, or from the version's bundle.

    Each says that the record's generation writes it.
    """
    workload = _workload(
        record.service,
        record.environment,
        slot,
        version,
        release=release,
        catalog=catalog,
        generation=record.generation,
        target_group=record.slots[slot].target_group,
    )
    if version.bundle:
        return from_bundle(bundles.read(version.bundle, version.bundle_digest), workload)
    return render(workload)


def bundled_images(
    request: ReleaseRequest, *, environment: str, catalog: Catalog, bundles: Bundles
) -> tuple[str, ...]:
    """The images that a release's bundle runs beside the release's own. Nothing is taken and nothing changed.

    Raises
    ------
    InvalidInput
        The bundle is not there, was changed, or holds what a release must not touch, in either slot.
    """
    if not request.bundle:
        return ()
    documents = bundles.read(request.bundle, request.bundle_digest)
    images: set[str] = set()
    for slot in SLOTS:
        workload = _workload(
            request.service,
            environment,
            slot,
            request.version,
            release="",
            catalog=catalog,
            generation=0,
            target_group="",
        )
        images |= set(other_images(from_bundle(documents, workload), request.image))
    return tuple(sorted(images))


def _workload(
    name: str,
    environment: str,
    slot: Slot,
    version: Version,
    *,
    release: str,
    catalog: Catalog,
    generation: int,
    target_group: str,
) -> Workload:
    env = catalog.environments[environment]
    service = effective(catalog.service(name), env)
    return Workload(
        service=service,
        environment=env,
        slot=slot,
        image=version.image,
        version=version.short,
        release=release,
        generation=generation,
        replicas=service.replicas,
        target_group=target_group,
        # A service without secrets needs no role of its own.
        role=f"arn:aws:iam::{env.account}:role/candlefish-{env.name}-{service.name}"
        if service.secrets
        else "",
        bundle=version.bundle,
        bundle_digest=version.bundle_digest,
        ready_within=catalog.strategies[env.strategy].ready_within,
        dependencies=tuple(effective(catalog.service(each), env) for each in service.depends_on),
        services=tuple(catalog.services),
    )
