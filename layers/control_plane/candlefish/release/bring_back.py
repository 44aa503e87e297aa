"""Put the good version back in place, after an in-place update that is rolled back."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.release.drift import overwritten
from candlefish.release.manifests import slot_name
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.put_back import put_back
from candlefish.service.record import ServiceRecord


def bring_back(
    record: ServiceRecord, *, catalog: Catalog, cluster: Cluster, bundles: Bundles
) -> tuple[str, str]:
    """Apply the version that the rollback of this record goes back to, unless it is there; and look how far it is.

    Returns
    -------
    tuple[str, str]
        What is done when it is, and why it is not done yet.
    """
    assert record.rollback
    slot = record.rollback.slot
    env = catalog.environments[record.environment]
    name, version = slot_name(record.service, slot), record.slots[slot].version
    assert version
    done = f"{version.short} runs in place again"
    if overwritten(cluster.running(env.namespace, name), version, record.generation):
        # A rollback of before slots knew whose objects they run brings its own.
        release = record.slots[slot].release or record.rollback.id
        put_back(record, slot, release=release, catalog=catalog, cluster=cluster, bundles=bundles)
    rollout = cluster.rollout(env.namespace, name)
    if rollout.status != "ready":
        return done, f"{version.short} is coming back in place: {rollout.reason}"
    return done, ""
