"""Scale down a slot once nothing reaches it; or put the good version back in place (rolling)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from candlefish.analysis.model import Window, aim_target
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog, Environment, Service
from candlefish.catalog.read import effective
from candlefish.errors import NotRetired, Unavailable
from candlefish.ports import Now
from candlefish.release.bring_back import bring_back, freed_words
from candlefish.release.context import held_record
from candlefish.release.drain import Drain, is_drained
from candlefish.release.drift import wait_for_writers
from candlefish.release.journal import Journal
from candlefish.release.keep_cron import put_cron_back
from candlefish.release.manifests.model import runner_name
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import RetireInput, Retirement
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.targets import metric_target, sources_of
from candlefish.release.unpin import unpin_stable
from candlefish.release.workload import replicas_of
from candlefish.service.model import Slot, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, begin_retiring, vacate_slot, why_not_retire
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import refuse_older, repair_drift

# Seconds between two looks at a service that the catalog does not know any more.
POLL = 15


class _Look(NamedTuple):
    """One look at a slot that shall lose its Pods, and what it takes. `service` is None when it left the catalog."""

    request: RetireInput
    record: ServiceRecord
    at: float
    env: Environment
    service: Service | None
    catalog: Catalog
    records: ServiceRecords
    cluster: Cluster
    rules: Rules
    sources: Mapping[str, WindowSource]
    journal: Journal
    now: Now

    def name(self, slot: Slot) -> str:
        return runner_name(self.record, slot)

    def say_freed(self, words: str) -> None:
        self.journal.append(self.request.release, ReleaseEntry(self.at, "freed", words))


def retire_slot(
    request: RetireInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    rules: Rules,
    sources: Mapping[str, WindowSource],
    cluster_writers_live: float,
    journal: Journal,
    now: Now,
) -> Retirement:
    """Scale down a slot once nothing reaches it; or put the good version back in place (rolling).

    The intention is written down before the cluster is asked, so that from then on nothing can come to
    need the slot (docs/decisions/0013). No Pod is taken, and nothing is taken for restored, before whoever
    wrote to rule and cluster for the release is dead, `cluster_writers_live` seconds after its promotion
    or rollback was decided: so this is the cluster's last look as well. Calling again goes on where the
    last call stopped.

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the slot is theirs now.
    NotRetired
        A rollback did not come to its end in time.
    """
    at = now()
    record = held_record(request, records)
    env = catalog.environments[record.environment]
    known = catalog.services.get(record.service)
    service = effective(known, env) if known else None
    look = _Look(request, record, at, env, service, catalog, records, cluster, rules, sources, journal, now)
    rollback, slot = record.rollback, record.slots[request.slot]
    left = wait_for_writers(record.earlier_writers_at, cluster_writers_live, at)
    busy = f"a writer of the release may be at work for {left:.0f} s more" if left > 0 else ""
    drained = "nothing reached it"
    if rollback and not record.balanced:
        refuse_older(record, records=records, rules=rules, now=at)
        record = repair_drift(record, records=records, rules=rules).record
        look = look._replace(record=record)
    done = why = ""
    if rollback and rollback.redeploy:
        done, why = bring_back(record, catalog=catalog, cluster=cluster, bundles=bundles, say=look.say_freed)
    # Before the slot is given up: what its version had is known until then. What is refused here holds nothing up.
    left_of_cron = put_cron_back(record, catalog=catalog, cluster=cluster, bundles=bundles)
    if rollback and rollback.redeploy:
        why = why or (busy and f"{done}; {busy}")
    elif rollback is None and record.stable == request.slot:
        # Two executions of one rollback are of one generation: the other one has ended it.
        done, why = f"slot {request.slot} serves, and no rollback is under way", ""
    elif not slot.running:
        done, why = f"slot {request.slot} has no capacity", ""
    else:
        done, why = f"slot {request.slot} was scaled down", busy
        if not (why or slot.retiring):
            why, drained = _begin(look)
        why = why or _take_away(look, drained)
    strategy = catalog.strategies[env.strategy]
    longest = strategy.ready_within + strategy.drain_within + cluster_writers_live
    if rollback and why and at > request.since + longest:
        raise NotRetired(f"{record.name}: {why}; a rollback does not wait longer than {longest:.0f} s")
    if rollback and rollback.redeploy and not why:
        journal.append(request.release, ReleaseEntry(at, "restored", done))
    poll = max(1, round(catalog.policies[service.judge].window / 4)) if service else POLL
    return Retirement(not why, (why or done) + left_of_cron, poll)


def _begin(look: _Look) -> tuple[str, str]:
    """Write down that the slot is being retired, once nothing reaches it; why not yet, and how that is known."""
    request, record, at = look.request, look.record, look.at
    if why := why_not_retire(record, request.slot, at) or _weighted(look):
        return why, ""
    if record.works_alone:
        drain = Drain(True, "its Pods went with its weight")
    else:
        drain = is_drained(
            _heard(look),
            since=request.since,
            now=at,
            give_up=look.catalog.strategies[look.env.strategy].drain_within,
        )
    if not drain.done:
        return drain.reason, ""
    _, why = look.records.update(
        record.service,
        lambda r: begin_retiring(r, generation=request.generation, slot=request.slot, now=look.now()),
    )
    return why, drain.reason


def _weighted(look: _Look) -> str:
    """What the rule still gives the slot, whatever the record says; then the other one is woken meanwhile.

    A rollback that found no healthy target to go back to leaves the traffic where targets are.
    """
    record, slot = look.record, look.request.slot
    share = look.rules.read(record.rule).get(record.slots[slot].target_group, 0)
    if not share:
        return ""
    woken = record.rollback and record.stable == other(slot) and not record.works_alone
    if woken and (replicas := replicas_of(record, other(slot), look.catalog)):
        look.cluster.raise_to(
            look.env.namespace,
            look.name(other(slot)),
            replicas.min,
            generation=look.request.generation,
        )
    return f"the rule still gives slot {slot} of {record.name} {share}% of the traffic"


def _heard(look: _Look) -> Sequence[Window]:
    """Windows of the first source that answers; none when no source does."""
    if look.service is None:
        return ()
    target = metric_target(look.record, look.request.slot, look.catalog, requests_only=True)
    policy = look.catalog.policies[look.service.judge]
    for name, source in sources_of(look.record, look.sources, policy).items():
        try:
            return source.windows(aim_target(target, policy, name), since=look.request.since, until=look.at)
        except Unavailable:
            continue
    return ()


def _take_away(look: _Look, drained: str) -> str:
    """Take the Pods of a slot that is being retired, and write down that they are gone; why they are not yet."""
    request, record = look.request, look.record
    gave_back = look.cluster.retire(look.env.namespace, look.name(request.slot), request.generation)
    if gave_back and (why := _comes_back(look)):
        return why
    if left := look.cluster.current_replicas(look.env.namespace, look.name(request.slot)):
        return f"slot {request.slot} of {record.name} was scaled down and asks for {left} Pods again"
    unpinned = unpin_stable(record, catalog=look.catalog, cluster=look.cluster)
    look.records.update(
        record.service,
        lambda r: vacate_slot(r, generation=request.generation, slot=request.slot, now=look.now()),
    )
    words = f"slot {request.slot} was scaled down: {drained}{unpinned}"
    look.journal.append(request.release, ReleaseEntry(look.at, "retired", words))
    return ""


def _comes_back(look: _Look) -> str:
    """Why a StatefulSet that was given back does not run what it ran before yet; empty when it does, or is at rest."""
    namespace, name, generation = look.env.namespace, look.name(look.request.slot), look.request.generation
    if freed := look.cluster.free_stuck(namespace, name, generation):
        look.say_freed(freed_words(freed))
        return f"Pod {freed} is made again"
    seen = look.cluster.rollout(namespace, name)
    return f"what ran before is coming back: {seen.reason}" if seen.desired and seen.status != "ready" else ""
