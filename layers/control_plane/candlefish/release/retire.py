"""What follows once traffic has left a slot: stop its release, wait for silence, scale down, free the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from candlefish.analysis.model import Window
from candlefish.analysis.ports import MetricTarget, WindowSource, aimed
from candlefish.catalog.model import Catalog, JudgePolicy
from candlefish.catalog.read import effective
from candlefish.errors import Unavailable
from candlefish.ports import Executions, Now
from candlefish.release.drain import is_drained
from candlefish.release.journal import Entry, Journal
from candlefish.release.manifests import slot_name
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.restore import Restored
from candlefish.release.targets import metric_target
from candlefish.release.workload import objects_of
from candlefish.service.model import Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import (
    ServiceRecord,
    end_rollback,
    require_generation,
    vacate_slot,
    why_not_retire,
)
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import repair_drift


class RetireInput(msgspec.Struct, frozen=True):
    """Which slot shall lose its capacity; `since` is when its weight became 0, epoch seconds."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    since: float


class Retirement(msgspec.Struct, frozen=True):
    """Whether the slot has been scaled down, and why not yet. `poll` is seconds until the next look."""

    done: bool
    reason: str
    poll: int


def stop_release(request: Restored, *, executions: Executions) -> None:
    """Stop the execution of the release that is rolled back; one that has ended is left as it is."""
    executions.stop(request.stop, error="RolledBack", cause=request.reason)


def retire(
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
    record = records.get(request.service)
    require_generation(record, request.generation)
    env = catalog.environments[record.environment]
    service = effective(catalog.service(record.service), env)
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
    cluster.retire(env.namespace, name)
    if record.stable:
        # The stable slot was kept from scaling in while the release ran.
        cluster.set_bounds(
            env.namespace,
            slot_name(record.service, record.stable),
            minimum=service.replicas.min,
            maximum=service.replicas.max,
        )
    records.update(record.service, lambda r: vacate_slot(r, generation=request.generation, slot=request.slot))
    journal.append(
        request.release, Entry(at, "retired", f"slot {request.slot} was scaled down: {drain.reason}")
    )
    return Retirement(True, drain.reason, poll)


def _heard(
    sources: Mapping[str, WindowSource], policy: JudgePolicy, target: MetricTarget, since: float, at: float
) -> Sequence[Window]:
    """Windows of the first source that answers; none when no source does."""
    for name, source in sources.items():
        try:
            return source.windows(aimed(target, policy, name), since=since, until=at)
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
    cluster.apply(objects)
    rollout = cluster.rollout(env.namespace, slot_name(record.service, request.slot))
    if rollout.status != "ready":
        return Retirement(False, f"{version.short} is coming back in place: {rollout.reason}", poll)
    journal.append(request.release, Entry(at, "restored", f"{version.short} runs in place again"))
    return Retirement(True, f"{version.short} runs in place again", poll)


def finish(
    request: RetireInput, *, records: ServiceRecords, rules: Rules, journal: Journal, now: Now
) -> None:
    """Take the last look at rule and record, then free the service.

    By now every function of an older generation has been stopped by its timeout, so nothing that
    was in flight can still arrive after this look.
    """
    record = records.get(request.service)
    require_generation(record, request.generation)
    settled = repair_drift(record, records=records, rules=rules)
    records.update(request.service, lambda r: end_rollback(r, generation=request.generation))
    stable = settled.record.stable_version
    journal.append(
        request.release,
        Entry(
            now(),
            "rolled_back",
            f"all traffic is on {stable.short if stable else 'the empty slot: nothing was stable before'}",
            evidence={"weights": dict(settled.record.desired), "repaired": settled.writes},
        ),
    )
