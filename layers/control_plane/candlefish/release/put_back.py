"""Make a slot run what its record says: what a rollback in place and the reconciler of the cluster both do."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.release.manifests.model import runner_name
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.workload import objects_of, replicas_of
from candlefish.service.model import Slot
from candlefish.service.record import ServiceRecord


def least_pods(record: ServiceRecord, slot: Slot, minimum: int) -> int:
    """How many Pods a slot that is needed has at least; a worker's has none while it has no weight."""
    return 0 if record.works_alone and not record.desired[slot] else minimum


def put_back(
    record: ServiceRecord,
    slot: Slot,
    *,
    release: str,
    catalog: Catalog,
    cluster: Cluster,
    bundles: Bundles,
    force: bool = False,
) -> tuple[str, ...]:
    """Apply the slot's recorded version under the record's generation, and wake it; what changed in the cluster.

    `release` is what its objects are labelled with: another label than they have replaces every Pod.
    """
    version = record.slots[slot].version
    assert version
    env = catalog.environments[record.environment]
    objects = objects_of(record, slot, version, release=release, catalog=catalog, bundles=bundles)
    replicas = replicas_of(record, slot, catalog)
    least = least_pods(record, slot, replicas.min if replicas else 1)
    changed = cluster.apply(objects, generation=record.generation, force=force, resting=not least, again=True)
    if not least:
        return changed
    cluster.raise_to(env.namespace, runner_name(record, slot), least, generation=record.generation)
    return changed
