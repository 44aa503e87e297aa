"""What must never happen, and what must be so at rest: I1 to I5 of docs/architecture.md, for rule, record and cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator

from candlefish.errors import ApprovalExpired
from candlefish.release.model import MOST_EXPERIMENTS
from candlefish.service.model import SLOTS, Version, all_to, other
from candlefish.service.record import ServiceRecord
from tests.exploration.cluster import Slot as Running
from tests.exploration.jobs import MIGRATE, is_complete
from tests.exploration.subject import FIRST_MOMENT, SERVICE, freezes_of, record_of
from tests.exploration.world import State, is_undrained, slots


def broken_by(before: State, after: State) -> Iterator[str]:
    """What one move of the product did that it must not do."""
    if after.objects is not before.objects:
        yield from _cluster(before, after)
    if after.rule != before.rule:
        yield from _rule(before, after)
    if after.plan.experiments > MOST_EXPERIMENTS:
        yield f"I7: a release made more than {MOST_EXPERIMENTS} experiments"
    if after.plan.experiments < before.plan.experiments:
        yield "I4: a late look took an experiment out of the plan"
    if before.plan.promoted and not after.plan.promoted:
        yield "I4: a late look took a person's promotion out of the plan"
    if after.jobs is not before.jobs:
        yield from _jobs(before, after)
    if after.accused and not after.meddled:
        yield "I9: a timeline says that somebody changed the weights, and nobody did"
    if after.record is not before.record:
        yield from _record(record_of(before.record), record_of(after.record))
        yield from _steered(before, record_of(before.record), record_of(after.record))


def _jobs(before: State, after: State) -> Iterator[str]:
    record = record_of(before.record)
    holds = record.holder.release if record.holder else ""
    began = {job.name: job.began for job in before.jobs}
    for job in after.jobs:
        if job.began > began.get(job.name, 0) and not record.rollback and holds != job.release:
            yield "jobs: one began whose release is over"
    for job in after.jobs:
        of = [each for each in after.jobs if (each.release, each.step) == (job.release, job.step)]
        if sum(each.began for each in of) > 1:
            yield "jobs: one of a release began twice"
        if sum(each.made - each.deleted for each in of) > 1:
            yield "jobs: one of a release was made twice"
    if sum(bool(job.since) for job in after.jobs) > 1:
        yield "jobs: those of two releases are at work at once"


def _waits_for_job(state: State, record: ServiceRecord) -> bool:
    """Whether the release that holds the service has to wait for the end of a Job before anything of it runs."""
    if record.holder is None or record.rollback or not state.migrates:
        return False
    return not is_complete(state.jobs, record.holder.release, MIGRATE)


def _cluster(before: State, after: State) -> Iterator[str]:
    record = record_of(before.record)
    for at, (was, now) in enumerate(zip(slots(before), slots(after), strict=True)):
        of = record.slots[SLOTS[at]]
        version = of.incoming or of.version
        comes = of.state == "candidate" or of.incoming is not None
        if comes and version and now.image == version.image != was.image and _waits_for_job(before, record):
            yield "jobs: a version was deployed before its own had ended well"
        if was.replicas and not now.replicas and (why := why_not_scale_down(before, at)):
            yield f"I5: Pods were taken from {why}"
        if now.generation < was.generation:
            yield "I4: an older generation wrote a Deployment that a newer one had written"
        if now.minimum is not None and now.bounds_generation < was.bounds_generation:
            yield "I4: an older generation wrote an autoscaler that a newer one had written"


def why_not_scale_down(state: State, at: int) -> str:
    """Why a slot must keep its Pods; empty when it need not."""
    record, slot = record_of(state.record), SLOTS[at]
    of = record.slots[slot]
    if record.desired[slot]:
        return "a slot that the record gives weight"
    if record.works_alone:
        # Its Pods are its weight: they go with what the record wants, and what is said of them follows.
        return "the stable slot" if record.stable == slot and not record.holder else ""
    if state.rule[at]:
        return "a slot that the rule gives weight"
    if record.stable == slot:
        return "the stable slot"
    deployed = slots(state)[at].generation == record.generation
    if of.state == "candidate" and record.holder and not record.rollback and deployed:
        # Before it is deployed the slot's Pods are those of the last release, and deploying wakes it.
        return "the candidate of a release that runs"
    if of.state == "previous" and not record.rollback and record.window_until > state.clock:
        return "the previous slot inside its rollback window"
    return "a slot that is not drained" if is_undrained(state, at) else ""


def _is_other(runs: Running, version: Version) -> bool:
    """Whether what runs is another image than the version's, or was rendered from another configuration."""
    known = json.loads(version.configuration)["service"] if version.configuration else None
    limit = known["resources"]["memory_limit"] if known else runs.limit
    return (runs.image, runs.limit) != (version.image, limit)


def _rule(before: State, after: State) -> Iterator[str]:
    record = record_of(before.record)
    if record.rollback:
        # A rollback goes back first, and looks afterwards.
        return
    running = slots(before)
    for at, slot in enumerate(SLOTS):
        gained, of = after.rule[at] > before.rule[at], record.slots[slot]
        if gained and of.state == "candidate" and _waits_for_job(before, record):
            yield "jobs: weight went to a version before its own had ended well"
        version = of.incoming or of.version
        if gained and version and running[at].replicas and _is_other(running[at], version):
            yield "I3: weight went to a version that the record does not name"
        if gained and not running[at].replicas and running[SLOTS.index(other(slot))].replicas:
            yield "I1: weight went to a slot without Pods while the other one had some"


def _record(before: ServiceRecord, after: ServiceRecord) -> Iterator[str]:
    noted = {job.name for job in after.jobs} - {job.name for job in before.jobs}
    if noted and (before.holder is None or before.rollback):
        yield "I4: a Job was written down for a release that does not hold the service"
    if after.generation < before.generation:
        yield "I4: the record's generation went back"
    changed_hands = before.holder and after.holder and before.holder.release != after.holder.release
    if changed_hands and after.generation == before.generation:
        yield "I2: the service changed hands without a new generation"


def _steered(state: State, before: ServiceRecord, after: ServiceRecord) -> Iterator[str]:
    """What people said of a release, and was not heeded."""
    grew = [
        slot
        for slot in SLOTS
        if before.slots[slot].state == "candidate" and after.desired[slot] > before.desired[slot]
    ]
    if before.stops and not after.rollback and grew:
        yield "I10: weight was given to a release that is held"
    if before.stops and before.holder and not before.rollback and not after.holder:
        yield "I10: a release was promoted that is held"
    if before.holder is None and after.rollback and after.rollback.id.startswith("abort"):
        yield "I10: an abort took back what was promoted"
    taken_back = after.rollback if before.rollback is None else None
    if taken_back and state.plan.promoted and taken_back.reason == ApprovalExpired.__name__:
        yield "I10: a release that a person promoted was taken back because nobody answered its question"
    frozen = any(
        each.since < FIRST_MOMENT for each in freezes_of(state.freezes).in_force(state.clock, SERVICE)
    )
    if frozen and before.holder is None and after.holder and not after.rollback:
        yield "I10: a release began while releases were frozen"
    if frozen and any(before.desired[slot] == 0 for slot in grew):
        yield "I10: users met a version while releases were frozen"
    if after.generation == before.generation and after.holder:
        yield from _pauses(state, before, after)


def _pauses(state: State, before: ServiceRecord, after: ServiceRecord) -> Iterator[str]:
    assert after.holder
    release, were, are = after.holder.release, set(before.holds), set(after.holds)
    if any(hold.is_pause and not hold.reason.endswith(release) for hold in are - were):
        yield "I10: a release was paused by who meant another one"
    if any(hold.is_pause for hold in were - are) and release not in state.resumed:
        yield "I10: a release goes on by who meant another one"


def not_at_peace(state: State, least: int) -> list[str]:
    """What is wrong with a world in which nothing runs any more. `least`: replicas that a running slot has."""
    record = record_of(state.record)
    found = []
    if record.quarantine:
        # Nobody acts by it until a person has rebuilt it; until then the traffic stays where Pods are.
        return [f"I1: {name}" for name in _unserved(state)]
    if record.holder:
        found.append("a lock that nobody holds any more")
    if record.rollback:
        found.append("a rollback that nobody finishes")
    weights = dict(zip(SLOTS, state.rule, strict=True))
    if weights != record.desired:
        found.append("I3: rule and record differ")
    if not record.holder and record.stable and record.desired != all_to(record.stable):
        found.append("I3: there is weight beside the stable slot")
    found += [f"I1: {name}" for name in _unserved(state)]
    for at in range(len(SLOTS)):
        found += _slot_not_at_peace(state, record, at, least)
    return found


def is_overdue(state: State) -> bool:
    """Whether the window is closed and the previous slot still has its capacity."""
    record = record_of(state.record)
    if record.stable is None or record.window_until > state.clock:
        return False
    return record.slots[other(record.stable)].running


def _unserved(state: State) -> Iterator[str]:
    for weight, runs in zip(state.rule, slots(state), strict=True):
        if weight and not runs.replicas:
            yield "there is weight on a slot without Pods"


def _slot_not_at_peace(state: State, record: ServiceRecord, at: int, least: int) -> Iterator[str]:
    of, runs = record.slots[SLOTS[at]], slots(state)[at]
    if runs.replicas and of.version and _is_other(runs, of.version):
        yield f"a slot {'with weight ' if state.rule[at] else ''}runs another version than the record says"
    if runs.replicas and not of.running and record.stable != SLOTS[at]:
        yield "Pods run in a slot that the record says is empty"
    rests = record.works_alone and not record.desired[SLOTS[at]]
    if of.running and not runs.replicas and not rests:
        yield "no Pods run in a slot that the record says is running"
    if runs.replicas and of.running and runs.minimum is None:
        yield "the autoscaler of a running slot is gone"
    elif runs.replicas and of.running and runs.minimum != least:
        yield "the autoscaler of a running slot does not have the catalog's range"
