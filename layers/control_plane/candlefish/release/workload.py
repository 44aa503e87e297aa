"""From a service's record, and the configuration of a version, to the objects of one slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from candlefish.catalog.model import Catalog, Environment, Job, Replicas, Service
from candlefish.errors import InvalidInput
from candlefish.names import partition_of, service_role
from candlefish.release.configuration import read_configuration
from candlefish.release.manifests import (
    BundledJob,
    Workload,
    bundled_jobs,
    cron_objects,
    from_bundle,
    job_objects,
    other_images,
    render,
)
from candlefish.release.model import Manifest, PlannedJob
from candlefish.release.payloads import ReleaseRequest
from candlefish.release.ports import Bundles
from candlefish.service.model import SLOTS, Slot, Version
from candlefish.service.record import ServiceRecord


class JobOfSlot(NamedTuple):
    """A Job of a slot's newest version, what has to be there before its Pod can begin, and what the slot gets after it:
    nothing where the version runs already."""

    job: Manifest
    around: Sequence[Manifest]
    follows: Sequence[Manifest]


def objects_of(
    record: ServiceRecord, slot: Slot, version: Version, *, release: str, catalog: Catalog, bundles: Bundles
) -> Sequence[Manifest]:
    """The Kubernetes objects that run `version` in `slot`: rendered, or from the version's bundle.

    Both by the version's own configuration, whatever the catalog says by now. Each says that the record's
    generation writes it.
    """
    return _objects(_in_slot(record, slot, version, release, catalog), version, bundles)


def _in_slot(record: ServiceRecord, slot: Slot, version: Version, release: str, catalog: Catalog) -> Workload:
    return _workload(
        record.service,
        record.environment,
        slot,
        version,
        release=release,
        catalog=catalog,
        generation=record.generation,
        target_group=record.slots[slot].target_group,
    )


def _objects(workload: Workload, version: Version, bundles: Bundles) -> Sequence[Manifest]:
    if version.bundle:
        return from_bundle(bundles.read(version.bundle, version.bundle_digest), workload)
    return render(workload)


def replicas_of(record: ServiceRecord, slot: Slot, catalog: Catalog) -> Replicas | None:
    """The range of Pods that the version in a slot was released with; None where neither it nor the catalog says one."""
    version = record.slots[slot].incoming or record.slots[slot].version
    return range_of(version, record.service, record.environment, catalog)


def range_of(version: Version | None, service: str, environment: str, catalog: Catalog) -> Replicas | None:
    """The range of Pods that a version is released with; None where neither it nor the catalog says one."""
    if version is None or not (version.configuration or service in catalog.services):
        return None
    return read_configuration(version, service, environment, catalog).service.replicas


def job_objects_of(
    record: ServiceRecord,
    slot: Slot,
    job: str,
    *,
    name: str,
    release: str,
    catalog: Catalog,
    bundles: Bundles,
) -> JobOfSlot:
    """A Job of a slot's newest version with its objects; `name` is what it is called in the cluster.

    Raises
    ------
    InvalidInput
        The service has no such job any more.
    """
    version = record.slots[slot].incoming or record.slots[slot].version
    assert version
    workload = _in_slot(record, slot, version, release, catalog)
    first = record.stable is None
    declared = next((each for each in _jobs(workload, version, bundles) if each.name == job), None)
    if declared is None:
        raise InvalidInput(
            f"job {job} of {record.name} left the catalog while release {release} was under way; release again"
        )
    objects = _objects(workload, version, bundles)
    around, made = job_objects(objects, workload, declared, name=name)
    return JobOfSlot(made, around, objects if _when(declared, first=first) == "before" else ())


def _jobs(workload: Workload, version: Version, bundles: Bundles) -> tuple[Job | BundledJob, ...]:
    """The Jobs of a version: the catalog's, and those of its bundle that are not called like one of these."""
    own = workload.service.jobs
    if not version.bundle:
        return own
    names = {job.name for job in own}
    found = bundled_jobs(bundles.read(version.bundle, version.bundle_digest), workload)
    return (*own, *(job for job in found if job.name not in names))


def _when(job: Job | BundledJob, *, first: bool) -> Literal["before", "after"] | None:
    return job.when(first=first) if isinstance(job, BundledJob) else job.when


class JobPlan(NamedTuple):
    """The Jobs that releases of a version run, in their order: the first of its service, which is Helm's install, and others."""

    first: tuple[PlannedJob, ...]
    later: tuple[PlannedJob, ...]


def plan_jobs(
    version: Version, service: str, environment: str, *, catalog: Catalog, bundles: Bundles
) -> JobPlan:
    """The Jobs that a release of a version would run: the catalog's, then its bundle's.

    Raises
    ------
    InvalidInput
        The bundle is not there, was changed, or holds what a release must not touch.
    """
    found = _jobs(_unplaced(version, service, environment, SLOTS[0], catalog), version, bundles)
    first, later = (
        tuple(
            PlannedJob(job.name, at, float(job.within)) for job in found if (at := _when(job, first=is_first))
        )
        for is_first in (True, False)
    )
    return JobPlan(first, later)


def rendered_jobs(
    record: ServiceRecord, slot: Slot, version: Version, *, catalog: Catalog, bundles: Bundles
) -> tuple[Manifest, ...]:
    """The Jobs of a version as they would be made, each called like its step: for looking at."""
    workload = _in_slot(record, slot, version, "", catalog)
    jobs = _jobs(workload, version, bundles)
    objects = _objects(workload, version, bundles) if jobs else ()
    return tuple(job_objects(objects, workload, job, name=f"{record.service}-{job.name}")[1] for job in jobs)


def cron_objects_of(record: ServiceRecord, *, catalog: Catalog, bundles: Bundles) -> Sequence[Manifest]:
    """The CronJobs of what is stable, with the policy of their Pods; nothing where it has none, or nothing is stable."""
    slot, version = record.stable, record.stable_version
    if slot is None or version is None:
        return ()
    return version_cron(record, slot, version, catalog=catalog, bundles=bundles)


def version_cron(
    record: ServiceRecord, slot: Slot, version: Version, *, catalog: Catalog, bundles: Bundles
) -> Sequence[Manifest]:
    """The CronJobs that a version has once it is stable in a slot, with the policy of their Pods."""
    release = record.slots[slot].release or record.promoted_release
    workload = _in_slot(record, slot, version, release, catalog)
    if not (version.bundle or workload.service.cron):
        return ()
    bundle = bundles.read(version.bundle, version.bundle_digest) if version.bundle else ()
    objects = from_bundle(bundle, workload) if version.bundle else render(workload)
    return cron_objects(objects, workload, bundle)


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
        workload = _unplaced(request.version, request.service, environment, slot, catalog)
        objects = from_bundle(documents, workload)
        objects = (*objects, *cron_objects(objects, workload, documents))
        jobs = [job.pod for job in bundled_jobs(documents, workload)]
        images |= set(other_images(objects, request.image, jobs))
    return tuple(sorted(images))


def _unplaced(version: Version, service: str, environment: str, slot: Slot, catalog: Catalog) -> Workload:
    """What a version would be rendered from, before a record says where."""
    return _workload(
        service,
        environment,
        slot,
        version,
        release="",
        catalog=catalog,
        generation=0,
        target_group="",
    )


def trial_of(name: str, environment: str, slot: Slot, catalog: Catalog) -> Workload:
    """What a version of a service would be rendered from, by the catalog, before there is one: its image is made up."""
    image = f"{catalog.service(name).image}@sha256:{'0' * 64}"
    return _workload(
        name,
        environment,
        slot,
        Version(image, "trial"),
        release="trial",
        catalog=catalog,
        generation=0,
        target_group="",
    )


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
    known = read_configuration(version, name, environment, catalog)
    service, env = known.service, known.environment
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
        role=role_of(service, env),
        bundle=version.bundle,
        bundle_digest=version.bundle_digest,
        configuration=version.configuration,
        configuration_digest=version.configuration_digest,
        ready_within=known.ready_within,
        dependencies=known.dependencies,
        stores=known.stores,
        callers=known.callers,
        # Whose names are whose is today's to say: a bundle must not take what is another service's by now.
        services=tuple(catalog.services),
    )


def role_of(service: Service, env: Environment) -> str:
    """The ARN of the role that a service's Pods assume in an environment; empty for none.

    Who reads no secret and names no role needs none.
    """
    reads = bool(service.secrets) and env.secrets_by != "external-secrets"
    name = service.role or (service_role(env.name, service.name) if reads else "")
    if not name or name.startswith("arn:"):
        return name
    return f"arn:{partition_of(env.region)}:iam::{env.account}:role/{name}"
