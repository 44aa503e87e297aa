"""What ends a release for the slot that serves: it may scale in again."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import ClusterRefused
from candlefish.release.manifests.model import runner_name
from candlefish.release.ports import Cluster
from candlefish.release.workload import replicas_of
from candlefish.service.record import ServiceRecord


def unpin_stable(record: ServiceRecord, *, catalog: Catalog, cluster: Cluster) -> str:
    """Give the stable slot's autoscaler its version's range again, which `scale_slot` narrowed; why not, if refused.

    Nothing that a rollback or a window must wait for: a missing autoscaler is made anew by the cluster's reconciler.
    """
    replicas = replicas_of(record, record.stable, catalog) if record.stable else None
    if not (record.stable and replicas) or record.stateful:
        return ""
    env = catalog.environments[record.environment]
    try:
        cluster.set_bounds(
            env.namespace,
            runner_name(record, record.stable),
            minimum=replicas.min,
            maximum=replicas.max,
            generation=record.generation,
        )
    except ClusterRefused as refusal:
        return f"; the autoscaler of the stable slot keeps its range: {refusal}"
    return ""
