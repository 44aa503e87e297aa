"""Look whether a slot can take the traffic that it is about to get."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import RolloutFailed
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.manifests import slot_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import Readiness, StepInput
from candlefish.release.ports import Cluster
from candlefish.service.ports import ServiceRecords
from candlefish.traffic.ports import Rules


def check_ready(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    rules: Rules,
    journal: Journal,
    now: Now,
) -> Readiness:
    """Look whether the slot's Deployment is rolled out and its targets are healthy.

    Raises
    ------
    RolloutFailed
        The cluster says that it cannot work, or the step's time is up.
    """
    record = held_record(request, records)
    env = catalog.environments[request.environment]
    at = now()
    rollout = cluster.rollout(env.namespace, slot_name(request.service, request.slot))
    if rollout.status == "failed":
        raise RolloutFailed(f"{request.service} in slot {request.slot}: {rollout.reason}")
    health = rules.health(record.slots[request.slot].target_group)
    enough = health.healthy >= request.required
    if rollout.status == "ready" and enough:
        reason = f"{rollout.ready} pods ready, {health.healthy} targets healthy ({request.required} needed)"
        journal.append(request.release, ReleaseEntry(at, "ready", reason))
        return Readiness(True, reason)
    reason = f"pods: {rollout.reason}; targets: {health.healthy} of {request.required} healthy" + (
        f" ({health.reason})" if health.reason else ""
    )
    if at - request.since > request.step.within:
        raise RolloutFailed(
            f"{request.service} in slot {request.slot} did not get ready within "
            f"{request.step.within:.0f} s: {reason}"
        )
    return Readiness(False, reason)
