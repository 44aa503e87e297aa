"""Look whether a slot can take the traffic that it is about to get."""

from __future__ import annotations

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.errors import ClusterRefused, RolloutFailed
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.drift import overwritten, wait_for_writers
from candlefish.release.journal import Journal
from candlefish.release.manifests.model import called, runner_name
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
    cluster_writers_live: float,
    journal: Journal,
    now: Now,
) -> Readiness:
    """Look whether the slot runs what the release deployed, is rolled out, and has healthy targets.

    It is the last look of a deploy too, and stands before every weight: a slot is not ready while a
    writer of an earlier release may still be at work (`cluster_writers_live`, the longest timeout of
    a function that writes to the cluster, in seconds).

    Raises
    ------
    RolloutFailed
        The cluster says that it cannot work, or the step's time is up.
    ClusterRefused
        The step's time is up and something else than the release keeps on writing the slot, or holds it up: that is no
        evidence against the version.
    """
    record = held_record(request, records)
    env = catalog.environments[request.environment]
    at = now()
    late = at - request.since > request.step.within
    name = runner_name(record, request.slot)
    version = record.slots[request.slot].incoming or record.slots[request.slot].version
    assert version
    if why := overwritten(cluster.running(env.namespace, name), version, request.generation):
        reason = f"slot {request.slot} is not as it was deployed: {why}"
        if late:
            here = called(name)
            raise ClusterRefused(f"{reason}; find out who writes {here.kind} {here.name} in {env.namespace}")
        return Readiness(False, reason, overwritten=True)
    rollout = cluster.rollout(env.namespace, name)
    if not request.required and not rollout.desired:
        # It has no weight yet, and shall have no Pods: what runs there is what was deployed.
        rollout = msgspec.structs.replace(rollout, status="ready", reason="no Pods before they have a weight")
    if rollout.status == "failed":
        raise RolloutFailed(f"{request.service} in slot {request.slot}: {rollout.reason}")
    if rollout.status != "ready" and not late:
        # The load balancer is not asked before it can say yes: its calls are for those who move traffic.
        return Readiness(False, f"pods: {rollout.reason}", poll=request.step.poll)
    health = rules.health(record.slots[request.slot].target_group)
    enough = health.healthy >= request.required
    if rollout.status == "ready" and enough:
        left = wait_for_writers(record.earlier_writers_at, cluster_writers_live, at)
        if left > 0:
            why = f"all is ready; a writer of an earlier release may be at work for {left:.0f} s more"
            return Readiness(False, why, poll=request.step.poll)
        reason = f"{rollout.ready} pods ready, {health.healthy} targets healthy ({request.required} needed)"
        journal.append(request.release, ReleaseEntry(at, "ready", reason))
        return Readiness(True, reason)
    reason = f"pods: {rollout.reason}; targets: {health.healthy} of {request.required} healthy" + (
        f" ({health.reason})" if health.reason else ""
    )
    if late:
        # A Pod of before that nobody mended is not this version's.
        fault = ClusterRefused if rollout.hindered else RolloutFailed
        raise fault(
            f"{request.service} in slot {request.slot} did not get ready within "
            f"{request.step.within:.0f} s: {reason}"
        )
    return Readiness(False, reason, poll=request.step.poll)
