"""Rolling back: traffic first, everything else after it.

`restore_traffic` is the first state of its machine and needs the record and the load balancer,
nothing else: two calls, then ModifyRule. What follows (stopping the release, draining, scaling
down) may take its time and may fail; the traffic is safe by then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog
from candlefish.catalog.read import effective
from candlefish.errors import InvalidInput, NothingToRollBack, Unavailable
from candlefish.ports import Executions, Now, Records
from candlefish.record import (
    RollbackRequest,
    ServiceRecord,
    Slot,
    begin_rollback,
    finish_rollback,
    require_generation,
    retired,
    why_not_retire,
)
from candlefish.release.drain import is_drained
from candlefish.release.journal import Entry, Journal
from candlefish.release.manifests import slot_name
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.targets import metric_target
from candlefish.release.workload import objects_of
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import look, settle

# A rollback that has not finished after this is taken over by the reconciler.
ROLLBACK_LEASE = 1800.0


class Restored(msgspec.Struct, frozen=True):
    """What the rollback machine carries on after the traffic is back."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    stop: str
    reason: str
    since: float
    # Seconds until writers of older generations are dead and the last look is worth taking.
    settle_in: int


def restore_traffic(
    request: RollbackRequest,
    *,
    execution: str,
    environment: str,
    writers_live: float,
    records: Records,
    rules: Rules,
    journal: Journal,
    now: Now,
) -> Restored:
    """Put all traffic on the version known to be good.

    `writers_live` is the longest timeout of a function that shifts weights, in seconds.

    Raises
    ------
    NothingToRollBack
        There is no good version to go back to; nothing was changed.
    """
    at = now()
    if request.environment != environment:
        raise InvalidInput(f"this control plane rolls back in {environment}, the request names {request.environment!r}")
    request = msgspec.structs.replace(request, reason=readable(request.reason))
    try:
        record = records.update(
            request.service,
            lambda r: begin_rollback(r, request, execution=execution, now=at, lease=ROLLBACK_LEASE),
        )
    except NothingToRollBack as refusal:
        if request.release:
            journal.append(request.release, Entry(at, "rollback_refused", str(refusal), by=request.by))
        raise
    settled = settle(record, records=records, rules=rules)
    rollback = record.rollback
    assert rollback
    if rollback.id == request.id:
        journal.append(
            rollback.release,
            Entry(
                at,
                "rolling_back",
                request.reason,
                by=request.by,
                evidence={
                    "weights": dict(settled.record.desired),
                    "generation": record.generation,
                    "writes": settled.writes,
                    "took_seconds": round(now() - at, 3),
                },
            ),
        )
    return Restored(
        release=rollback.release,
        environment=request.environment,
        service=request.service,
        generation=record.generation,
        slot=rollback.slot,
        stop=rollback.stop,
        reason=rollback.reason,
        since=at,
        settle_in=max(1, round(writers_live)),
    )


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
    records: Records,
    cluster: Cluster,
    bundles: Bundles,
    source: WindowSource,
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
    try:
        windows = source.windows(metric_target(record, request.slot), since=request.since, until=at)
    except Unavailable:
        windows = ()
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
    records.update(
        record.service, lambda r: retired(r, generation=request.generation, slot=request.slot)
    )
    journal.append(request.release, Entry(at, "retired", f"slot {request.slot} was scaled down: {drain.reason}"))
    return Retirement(True, drain.reason, poll)


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


def finish(request: RetireInput, *, records: Records, rules: Rules, journal: Journal, now: Now) -> None:
    """Take the last look at rule and record, then free the service.

    By now every function of an older generation has been stopped by its timeout, so nothing that
    was in flight can still arrive after this look.
    """
    record = records.get(request.service)
    require_generation(record, request.generation)
    settled = look(record, records=records, rules=rules)
    records.update(request.service, lambda r: finish_rollback(r, generation=request.generation))
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




def readable(cause: str) -> str:
    """The message inside a Lambda failure's cause, which Step Functions hands on as JSON."""
    try:
        failure = msgspec.json.decode(cause, type=dict[str, Any])
    except msgspec.MsgspecError:
        return cause
    return str(failure.get("errorMessage") or cause)
