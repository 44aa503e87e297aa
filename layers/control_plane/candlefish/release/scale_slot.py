"""Give a slot the capacity for its next weight."""

from __future__ import annotations

import math

from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.manifests.model import runner_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import StepInput
from candlefish.release.ports import Cluster
from candlefish.release.share_pods import share_pods
from candlefish.release.workload import replicas_of
from candlefish.service.ports import ServiceRecords


def scale_slot(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    journal: Journal,
    now: Now,
) -> int:
    """Give the slot the capacity for its next weight; the number of healthy targets it then needs.

    The stable slot may have scaled far above its minimum. The candidate gets the same share of
    those replicas as of the traffic, and the stable slot is kept from scaling in meanwhile, so that
    all traffic fits on either side at any moment of the release. Each slot stays in the range that its own
    version was released with.
    """
    record = held_record(request, records)
    env = catalog.environments[request.environment]
    stable, own = record.stable, replicas_of(record, request.slot, catalog)
    assert own, f"slot {request.slot} of {record.name} has no version after it was acquired"
    if stable is None or stable == request.slot:
        return own.min
    if not record.balanced:
        return share_pods(request, record, stable, own, env.namespace, records, cluster, journal, now)
    kept = replicas_of(record, stable, catalog) or own
    serving = cluster.current_replicas(env.namespace, runner_name(record, stable))
    share = math.ceil(serving * request.step.weight / 100)
    needed = min(max(own.min, share), own.max)
    pinned = min(max(kept.min, serving), kept.max)
    for slot, least, most in ((stable, pinned, kept.max), (request.slot, needed, own.max)):
        name = runner_name(record, slot)
        cluster.set_bounds(env.namespace, name, minimum=least, maximum=most, generation=request.generation)
        cluster.raise_to(env.namespace, name, least, generation=request.generation)
    journal.append(
        request.release,
        ReleaseEntry(
            now(),
            "scaled",
            f"slot {request.slot} gets at least {needed} replicas for {request.step.weight}% of the traffic; "
            f"slot {stable} keeps its {serving}",
        ),
    )
    return needed
