"""Scale down a slot once nothing reaches it; or put the good version back in place (rolling)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from candlefish.analysis.model import MetricTarget, Window, aim_target
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog, JudgePolicy
from candlefish.errors import Unavailable
from candlefish.ports import Now
from candlefish.release.context import held_record, service_of
from candlefish.release.drain import is_drained
from candlefish.release.journal import Journal
from candlefish.release.manifests import slot_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import RetireInput, Retirement
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.targets import metric_target
from candlefish.release.workload import objects_of
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, vacate_slot, why_not_retire


def retire_slot(
    request: RetireInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    now: Now,
) -> Retirement:
    """Scale down a slot once nothing reaches it; or put the good version back in place (rolling).

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the slot is theirs now.
    """
    at = now()
    record = held_record(request, records)
    env = catalog.environments[record.environment]
    service = service_of(request, catalog)
    policy = catalog.policies[service.judge]
    poll = max(1, round(policy.window / 4))
    name = slot_name(record.service, request.slot)
    if record.rollback and record.rollback.redeploy:
        return _redeploy(record, request, catalog, cluster, bundles, journal, at, poll)
    if not record.slots[request.slot].running:
        return Retirement(True, f"slot {request.slot} has no capacity", poll)
    if why := why_not_retire(record, request.slot, at):
        return Retirement(False, why, poll)
    target = metric_target(record, request.slot, env.namespace)
    windows = _heard(sources, policy, target, request.since, at)
    strategy = catalog.strategies[env.strategy]
    drain = is_drained(windows, since=request.since, now=at, give_up=strategy.drain_within)
    if not drain.done:
        return Retirement(False, drain.reason, poll)
    cluster.retire(env.namespace, name, request.generation)
    if record.stable:
        # The stable slot was kept from scaling in while the release ran.
        cluster.set_bounds(
            env.namespace,
            slot_name(record.service, record.stable),
            minimum=service.replicas.min,
            maximum=service.replicas.max,
            generation=request.generation,
        )
    records.update(
        record.service,
        lambda r: vacate_slot(r, generation=request.generation, slot=request.slot, now=now()),
    )
    journal.append(
        request.release, ReleaseEntry(at, "retired", f"slot {request.slot} was scaled down: {drain.reason}")
    )
    return Retirement(True, drain.reason, poll)


def _heard(
    sources: Mapping[str, WindowSource], policy: JudgePolicy, target: MetricTarget, since: float, at: float
) -> Sequence[Window]:
    """Windows of the first source that answers; none when no source does."""
    for name, source in sources.items():
        try:
            return source.windows(aim_target(target, policy, name), since=since, until=at)
        except Unavailable:
            continue
    return ()


def _redeploy(
    record: ServiceRecord,
    request: RetireInput,
    catalog: Catalog,
    cluster: Cluster,
    bundles: Bundles,
    journal: Journal,
    at: float,
    poll: int,
) -> Retirement:
    assert record.rollback
    env = catalog.environments[record.environment]
    version = record.slots[request.slot].version
    assert version
    marker = record.rollback.id
    objects = objects_of(record, request.slot, version, release=marker, catalog=catalog, bundles=bundles)
    cluster.apply(objects, generation=request.generation)
    rollout = cluster.rollout(env.namespace, slot_name(record.service, request.slot))
    if rollout.status != "ready":
        return Retirement(False, f"{version.short} is coming back in place: {rollout.reason}", poll)
    journal.append(request.release, ReleaseEntry(at, "restored", f"{version.short} runs in place again"))
    return Retirement(True, f"{version.short} runs in place again", poll)
