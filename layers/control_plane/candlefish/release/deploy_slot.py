"""Apply a version's objects to its slot."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import Retryable
from candlefish.invocation import written_within
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.keep_cron import put_cron_back
from candlefish.release.manifests.model import runner_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import StepInput
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.strangers import refuse_strangers
from candlefish.release.workload import objects_of
from candlefish.service.ports import ServiceRecords
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import point_smoke_rule


def deploy_slot(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    rules: Rules,
    writers_live: float,
    journal: Journal,
    now: Now,
) -> None:
    """Apply the version's objects to its slot, and point the smoke rule there.

    Pointing the rule first puts the slot's target group into a rule: a target group that is in no
    rule gets no health checks. That is sent within `writers_live` seconds, as long as writers of weights live: applying
    may take longer.
    """
    with written_within(writers_live):
        record = held_record(request, records)
        point_smoke_rule(record, request.slot, rules=rules)
    slot = record.slots[request.slot]
    version = slot.incoming or slot.version
    assert version, f"slot {request.slot} of {record.name} has no version after it was acquired"
    objects = objects_of(
        record, request.slot, version, release=request.release, catalog=catalog, bundles=bundles
    )
    env = catalog.environments[request.environment]
    # What is stable keeps its CronJobs, and none of them names what this slot is about to be.
    left = put_cron_back(record, catalog=catalog, cluster=cluster, bundles=bundles)
    refuse_strangers(objects, request.service, env.namespace, cluster)
    # Where Pods take work up by themselves there are none before they have a weight.
    changed = cluster.apply(objects, generation=request.generation, resting=not request.required)
    # Applying leaves the number of Pods alone, so that a slot that rests at 0 has to be woken.
    if request.required:
        cluster.raise_to(
            env.namespace,
            runner_name(record, request.slot),
            request.required,
            generation=request.generation,
        )
    journal.append(
        request.release,
        ReleaseEntry(
            now(),
            "deployed",
            f"{version.short} was applied to slot {request.slot}{_unguarded(env.namespace, cluster)}{left}",
            evidence={
                "objects": [f"{o['kind']}/{o['metadata']['name']}" for o in objects],
                "changed": list(changed),
            },
        ),
    )


def _unguarded(namespace: str, cluster: Cluster) -> str:
    """What to say of a namespace that takes Pods which no release would bring. No reason to stop one."""
    try:
        level = cluster.pod_security(namespace)
    except Retryable:
        # The next release asks again.
        return ""
    if level == "restricted":
        return ""
    if level is None:
        return (
            f"; whether namespace {namespace} enforces Pod Security could not be read: "
            "apply deploy/rbac.yaml, where that is not done yet"
        )
    return (
        f"; namespace {namespace} does not enforce Pod Security: "
        f"kubectl label namespace {namespace} pod-security.kubernetes.io/enforce=restricted"
    )
