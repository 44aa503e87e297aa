"""The backstop of the cluster: compare what runs with every record, and put right what nobody else will.

Separate from the reconciler of traffic, which needs no Kubernetes. It looks every few minutes at services
that nobody holds; each repair is made at the record's generation, so that whoever takes the service
over meanwhile has the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, assert_never

import msgspec

from candlefish.automation import why_off
from candlefish.catalog.model import Catalog, Environment, Replicas
from candlefish.errors import ControlPlaneError, InvalidInput, Permanent, StaleGeneration
from candlefish.ports import EventPublisher, Now, Switchboard
from candlefish.release.configuration import configured
from candlefish.release.cron import cron_differences, may_have_cron
from candlefish.release.drift import changed_by_others, other_version, to_settle, wait_for_writers
from candlefish.release.journal import Journal
from candlefish.release.keep_cron import align_cron
from candlefish.release.lost_shares import lost_shares
from candlefish.release.manifests.model import runner_name
from candlefish.release.model import CronSeen, ReleaseEntry, Running
from candlefish.release.news import record_finding
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.put_back import least_pods, put_back
from candlefish.release.traffic_repairs import differing_words, missing_words
from candlefish.release.unpin import unpin_stable
from candlefish.release.workload import replicas_of
from candlefish.service.model import SLOTS, RecordMark, Slot, SlotRecord
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import (
    ServiceRecord,
    clear_remnant,
    quarantine,
    settle_weights,
    vacate_slot,
    why_not_retire,
)
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import refuse_older, repair_drift, stamp


class ClusterLook(msgspec.Struct, frozen=True):
    """A look at the cluster: a schedule's event says nothing; `dry_run` only says what would be put right."""

    dry_run: bool = False


class ClusterFacts(msgspec.Struct, frozen=True):
    """What the world says of one service: what runs in each slot, and the weights of its rule by target group.

    The weights are read only where a slot may have to rest (`may_have_to_rest`) or they are shares of Pods, and empty
    otherwise.
    """

    running: Mapping[Slot, Running | None]
    weights: Mapping[str, int]
    # Read only where it may have some.
    cron: Sequence[CronSeen] = ()


class ClusterRepair(msgspec.Struct, frozen=True):
    """One thing to put right, and why."""

    service: str
    kind: Literal["apply", "raise", "retire", "share", "cannot_tell", "quarantine", "cron"]
    reason: str
    slot: Slot | None = None


def needed_cluster_repairs(
    record: ServiceRecord,
    facts: ClusterFacts,
    *,
    minimum: Mapping[Slot, int],
    drain_within: float,
    now: float,
) -> list[ClusterRepair]:
    """Everything that does not run as one record says (pure).

    `minimum` is how many Pods each slot that is needed has at least; `drain_within` how long requests to a slot
    may last after it lost its weight, in seconds. A service that is held, being rolled back, or whose record is
    older than the world is left to whoever has it; so is one that nothing was released to.
    """
    if _left_alone(record):
        return []
    for slot, running in facts.running.items():
        if running and running.generation > record.generation:
            why = (
                f"slot {slot} was written by generation {running.generation}, the record is at "
                f"{record.generation}; nothing was changed"
            )
            return [ClusterRepair(record.service, "quarantine", why, slot)]
    found: list[ClusterRepair] = []
    if not record.balanced and dict(facts.weights) != record.weights_by_target_group():
        why = differing_words("its Pods share", record, facts.weights)
        found.append(ClusterRepair(record.service, "share", why))
    for slot in SLOTS:
        if _needed(record, slot, now):
            least = least_pods(record, slot, minimum[slot])
            found += _should_run(record, slot, facts.running.get(slot), least)
        elif why := _should_rest(record, slot, facts, drain_within, now):
            found.append(ClusterRepair(record.service, "retire", why, slot))
    return [*found, *_cron(record, facts, found)]


def _cron(record: ServiceRecord, facts: ClusterFacts, found: Sequence[ClusterRepair]) -> list[ClusterRepair]:
    """CronJobs that are not those of the stable version, which its Deployment names: once that is right itself."""
    stable = record.stable
    running = facts.running.get(stable) if stable else None
    if running is None or any(each.kind == "apply" and each.slot == stable for each in found):
        return []
    differences = cron_differences(facts.cron, running.cron, record.stable_version)
    return [ClusterRepair(record.service, "cron", "; ".join(differences), stable)] if differences else []


def _left_alone(record: ServiceRecord) -> bool:
    """Whether somebody has the service, its record is no word to go by, or nothing of ours runs there."""
    nothing = record.stable is None and not any(each.retiring for each in record.slots.values())
    return bool(record.holder or record.rollback or record.quarantine or nothing)


def _needed(record: ServiceRecord, slot: Slot, now: float) -> bool:
    """Whether a slot serves, or is what a rollback would go back to."""
    each = record.slots[slot]
    kept = each.state == "previous" and each.running and not each.retiring and record.window_until > now
    return each.version is not None and (slot == record.stable or kept)


def _should_run(
    record: ServiceRecord, slot: Slot, running: Running | None, minimum: int
) -> list[ClusterRepair]:
    version = record.slots[slot].version
    assert version
    why = other_version(running, version)
    if not why and running and not (running.autoscaled or record.stateful):
        why = "its autoscaler is missing"
    if why:
        return [ClusterRepair(record.service, "apply", f"slot {slot}: {why}", slot)]
    assert running
    if running.replicas < minimum:
        why = f"slot {slot} asks for {running.replicas} Pods, {minimum} are the least"
        return [ClusterRepair(record.service, "raise", why, slot)]
    return []


def may_have_to_rest(record: ServiceRecord, running: Mapping[Slot, Running | None], now: float) -> bool:
    """Whether some slot has Pods, or is left with them, that the record has no use for: its weight decides (pure)."""

    def idle(slot: Slot) -> bool:
        each, found = record.slots[slot], running.get(slot)
        watched = each.running and not each.retiring
        return not watched and bool(each.retiring or (found and found.replicas))

    return any(idle(slot) for slot in SLOTS if not _needed(record, slot, now))


def _should_rest(
    record: ServiceRecord, slot: Slot, facts: ClusterFacts, drain_within: float, now: float
) -> str:
    """Why a slot's Pods have to go; empty when they need not, or may still be used."""
    each, running = record.slots[slot], facts.running.get(slot)
    pods = running.replicas if running else 0
    if each.running and not each.retiring:
        # Its watch machine looks after it.
        return ""
    if facts.weights.get(each.target_group, 0) or why_not_retire(record, slot, now):
        return ""
    if now < record.generation_at + drain_within:
        return ""
    if each.retiring:
        return f"slot {slot} was left with its Pods"
    return f"slot {slot} has {pods} Pods, the record says none" if pods else ""


def reconcile_cluster(
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    rules: Rules,
    switchboard: Switchboard,
    asleep: Callable[[], str],
    journal: Journal,
    events: EventPublisher,
    cluster_writers_live: float,
    now: Now,
    dry_run: bool = False,
) -> list[ClusterRepair]:
    """Look at what runs of every service of the environment, and put right what differs from its record.

    While automation is off it only says what it would put right; while the environment's Pods are at rest on
    purpose (`asleep` says why; empty while it is awake) it does not look. What a person has to put right is told of
    as a finding. What may still be the work of a function of ours, which lives `cluster_writers_live` seconds at most,
    is put right and told to nobody.
    """
    if asleep():
        return []
    dry_run = dry_run or bool(why_off(switchboard))
    env = catalog.environment(environment)
    found: list[ClusterRepair] = []
    known = records.all()
    for lost in lost_shares(env, catalog, known, rules):
        words = missing_words(lost, environment)
        found.append(ClusterRepair(lost, "cannot_tell", words))
        events.publish(*record_finding("record-missing", environment, lost, words, now()))
    for record in known:
        try:
            found += _reconcile(
                record,
                env,
                catalog=catalog,
                records=records,
                cluster=cluster,
                bundles=bundles,
                rules=rules,
                journal=journal,
                cluster_writers_live=cluster_writers_live,
                now=now,
                dry_run=dry_run,
            )
        except ControlPlaneError as error:
            # The other services must not wait for this one; the next look tries it again.
            found.append(ClusterRepair(record.service, "cannot_tell", str(error)))
            if isinstance(error, Permanent) and not isinstance(error, StaleGeneration):
                why = f"{record.name} does not run as recorded, and cannot be put right: {error}"
                events.publish(*record_finding("cluster-differs", environment, record.service, why, now()))
    return found


def _reconcile(
    record: ServiceRecord,
    env: Environment,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    rules: Rules,
    journal: Journal,
    cluster_writers_live: float,
    now: Now,
    dry_run: bool,
) -> list[ClusterRepair]:
    if not (record.balanced or record.quarantine or dry_run):
        followed = refuse_older(record, records=records, rules=rules, now=now())
        # A promotion moves no Pods: without this a record of the moment before it would pass for the newest.
        if followed != record.mark:
            stamp(record, rules=rules)
    if _left_alone(record):
        return []
    if not dry_run:
        record = adopt_configuration(record, catalog=catalog, records=records)
    at = now()
    # Of needed slots alone: what a bad version was released with keeps nobody from the stable one.
    ranges = {slot: replicas_of(record, slot, catalog) for slot in SLOTS if _needed(record, slot, at)}
    minimum = {slot: known.min if known else 1 for slot, known in ranges.items()}
    facts = gather_cluster_facts(record, env.namespace, cluster, rules, at)
    drain_within = catalog.strategies[env.strategy].drain_within
    found = needed_cluster_repairs(record, facts, minimum=minimum, drain_within=drain_within, now=at)
    if dry_run:
        return found
    shares = None if record.balanced else facts.weights
    if to_settle(record, shares, read_at=at, writers_live=cluster_writers_live):
        record = records.update(record.service, partial(settle_weights, seen=record.intended_revision))
    if not found:
        _came_back(record, env, cluster, records)
        return []
    if records.get(record.service).revision != record.revision:
        # Somebody went on meanwhile: the next look sees what came of it.
        return []
    # Whoever wrote to the cluster for the last release or rollback is dead by then.
    settled = wait_for_writers(record.earlier_writers_at, cluster_writers_live, at) == 0
    for repair in found:
        if repair.kind == "cannot_tell":
            continue
        if repair.kind == "share":
            done = repair_drift(record, records=records, rules=rules)
            why = f"{repair.reason}; it was left so: {done.refused}" if done.refused else repair.reason
            kind = "drift_repaired" if changed_by_others(done.record) else "shift_completed"
            if record.promoted_release:
                journal.append(record.promoted_release, ReleaseEntry(now(), kind, why, by="reconciler"))
            continue
        assert repair.slot
        if repair.kind == "quarantine":
            # The traffic's reconciler tells of it.
            _distrust(record, repair.slot, facts, records, now())
            continue
        changed = _make(
            repair,
            record,
            repair.slot,
            facts,
            ranges.get(repair.slot),
            env,
            catalog,
            records,
            cluster,
            bundles,
            now,
        )
        slot = record.slots[repair.slot]
        entry = ReleaseEntry(now(), "cluster_repaired", repair.reason, by="reconciler", evidence=changed)
        if not settled:
            entry = msgspec.structs.replace(entry, kind="cluster_completed")
        if subject := slot.release or record.promoted_release:
            journal.append(subject, entry)
    return found


def _came_back(record: ServiceRecord, env: Environment, cluster: Cluster, records: ServiceRecords) -> None:
    """Write down that the version runs which a rollback could not bring back; asked only where one could not."""
    left = record.remnant
    if left is None or left.kind != "not_restored":
        return
    if cluster.rollout(env.namespace, runner_name(record, left.slot)).status == "ready":
        records.update(record.service, partial(clear_remnant, seen=left))


def adopt_configuration(record: ServiceRecord, *, catalog: Catalog, records: ServiceRecords) -> ServiceRecord:
    """Write today's configuration down for versions of older code, which were rendered from the catalog of the day.

    So a repair before and after is the same one, and from here on a changed catalog changes nothing that runs. It
    replaces no Pod. A service that left the catalog, that somebody has by now, or whose configuration a record has no
    room for, stays as it is.
    """
    if record.service not in catalog.services or not any(_unknown(each) for each in record.slots.values()):
        return record

    def adopt(known: ServiceRecord) -> ServiceRecord:
        if _left_alone(known):
            return known
        slots = {
            slot: msgspec.structs.replace(
                each, version=configured(each.version, known.service, known.environment, catalog)
            )
            if each.version and _unknown(each)
            else each
            for slot, each in known.slots.items()
        }
        return msgspec.structs.replace(known, slots=slots)

    try:
        return records.update(record.service, adopt)
    except InvalidInput:
        return record


def _unknown(slot: SlotRecord) -> bool:
    """Whether a slot has a version whose configuration is not known, and is not empty-handed or bad."""
    serves = slot.state in ("stable", "previous")
    return serves and slot.version is not None and not slot.version.configuration


def _distrust(
    record: ServiceRecord, slot: Slot, facts: ClusterFacts, records: ServiceRecords, at: float
) -> None:
    """Let nobody act by a record that is older than what a slot's Deployment says of itself."""
    running = facts.running[slot]
    assert running
    newer = RecordMark(record.revision, running.generation)
    records.update(record.service, lambda r: quarantine(r, newer=newer, where=f"its slot {slot}", now=at))


def gather_cluster_facts(
    record: ServiceRecord, namespace: str, cluster: Cluster, rules: Rules, now: float
) -> ClusterFacts:
    """Read what there is to know of one service; what cannot be read is an error, never assumed.

    The load balancer is not asked about services at rest: its calls are for those who move traffic.
    """
    running = {slot: cluster.running(namespace, runner_name(record, slot)) for slot in SLOTS}
    asked = not record.balanced or may_have_to_rest(record, running, now)
    weights = rules.read(record.rule) if asked else {}
    cron = cluster.cron_jobs(namespace, record.service) if may_have_cron(record) else ()
    return ClusterFacts(running, weights, cron)


def _make(
    repair: ClusterRepair,
    record: ServiceRecord,
    slot: Slot,
    facts: ClusterFacts,
    replicas: Replicas | None,
    env: Environment,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    now: Now,
) -> dict[str, object]:
    """Make a repair; what it changed."""
    name, generation = runner_name(record, slot), record.generation
    match repair.kind:
        case "apply":
            release = release_label(record, record.slots[slot], facts.running.get(slot))
            # What somebody set by hand is theirs for the API; the record has the last word.
            changed = put_back(
                record, slot, release=release, catalog=catalog, cluster=cluster, bundles=bundles, force=True
            )
            return {"changed": list(changed)}
        case "raise":
            least = replicas.min if replicas else 1
            if replicas and not record.stateful:
                # Its autoscaler's range may be another by now, and would take the Pods away again.
                most = replicas.max
                cluster.set_bounds(env.namespace, name, minimum=least, maximum=most, generation=generation)
            return {"pods": cluster.raise_to(env.namespace, name, least, generation=generation)}
        case "retire":
            cluster.retire(env.namespace, name, generation)
            if record.slots[slot].running and not cluster.current_replicas(env.namespace, name):
                # Whoever began to retire it did not come to this.
                unpin_stable(record, catalog=catalog, cluster=cluster)
                records.update(
                    record.service, lambda r: vacate_slot(r, generation=generation, slot=slot, now=now())
                )
            return {}
        case "cron":
            differed = align_cron(
                record, catalog=catalog, cluster=cluster, bundles=bundles, force=True, held=False
            )
            return {"differed": list(differed)}
        case "cannot_tell" | "quarantine" | "share":
            return {}
        case _:
            assert_never(repair.kind)


def release_label(record: ServiceRecord, slot: SlotRecord, running: Running | None) -> str:
    """What a slot's objects are labelled with when they are applied again: another label would replace every Pod."""
    return (running.release if running else "") or slot.release or record.promoted_release or record.service
