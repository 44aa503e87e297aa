"""Put the good version back in place, after an in-place update that is rolled back."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.catalog.model import Catalog
from candlefish.release.drift import overwritten
from candlefish.release.manifests.model import runner_name
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.put_back import put_back
from candlefish.service.record import ServiceRecord


def bring_back(
    record: ServiceRecord,
    *,
    catalog: Catalog,
    cluster: Cluster,
    bundles: Bundles,
    say: Callable[[str], None],
) -> tuple[str, str]:
    """Apply the version that the rollback of this record goes back to, unless it is there; and look how far it is.

    A broken Pod that its StatefulSet would wait for is deleted, which `say` tells people.

    Returns
    -------
    tuple[str, str]
        What is done when it is, and why it is not done yet.
    """
    assert record.rollback
    slot = record.rollback.slot
    env = catalog.environments[record.environment]
    name, version = runner_name(record, slot), record.slots[slot].version
    assert version
    done = f"{version.short} runs in place again"
    if overwritten(cluster.running(env.namespace, name), version, record.generation):
        # A rollback of before slots knew whose objects they run brings its own.
        release = record.slots[slot].release or record.rollback.id
        put_back(record, slot, release=release, catalog=catalog, cluster=cluster, bundles=bundles)
    if record.stateful and (freed := cluster.free_stuck(env.namespace, name, record.generation)):
        say(freed_words(freed))
        return done, f"{version.short} is coming back in place: Pod {freed} is made again"
    rollout = cluster.rollout(env.namespace, name)
    if rollout.status != "ready":
        return done, f"{version.short} is coming back in place: {rollout.reason}"
    return done, ""


def freed_words(pod: str) -> str:
    """What is said of a Pod that was deleted, so that its StatefulSet goes on."""
    return (
        f"Pod {pod} ran the version that is taken back and was not ready, which its StatefulSet would have waited for for "
        "ever; it was deleted and is made again with its volumes"
    )
