"""The backstop: compare every record with the world, and put right what nobody else will.

Level-triggered: it looks at what is, not at what happened, so a lost or repeated event changes
nothing. It runs every minute, and at once when an execution of the control plane dies.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, assert_never

import msgspec

from candlefish.automation import why_off
from candlefish.errors import ControlPlaneError, NotOnboarded, Permanent, Retryable
from candlefish.names import EXECUTION, bounded_name
from candlefish.ports import EventPublisher, Execution, Executions, Now, Switchboard
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.news import record_finding
from candlefish.release.payloads import watch_context
from candlefish.service.model import SLOTS, RecordMark, RollbackRequest, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, is_newer, quarantine
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import repair_drift, stamp

# After its window closed, the watch machine has this long to drain and retire the previous slot.
WATCH_GRACE = 1800.0
# A failed rollback or watch is started again at most this often, in seconds: every minute at first, and more rarely
# the longer it has lasted (up to so many seconds: so often).
AGAIN_AFTER = 60.0
PACES = ((600.0, AGAIN_AFTER), (6 * 3600.0, 600.0))
SLOWEST = 3600.0
# Seconds that looking at one service and putting it right may take where AWS is slow.
ENOUGH = 1.5
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


class Died(msgspec.Struct, frozen=True):
    """What Step Functions says of an execution that ended badly. A release's execution has its name."""

    name: str = ""
    status: str = ""


NOBODY = Died()


class LookEvent(msgspec.Struct, frozen=True):
    """The end of an execution, or a schedule's event, which has no detail to speak of."""

    detail: Died = NOBODY


class TrafficFacts(msgspec.Struct, frozen=True):
    """What the world says of one service. `weights` is None when the rule could not be read.

    `written` is the mark of the record that the rule followed last, None when it could not be read.
    """

    weights: Mapping[str, int] | None
    written: RecordMark | None = RecordMark()
    holder: Execution | None = None
    watch: Execution | None = None


class Repair(msgspec.Struct, frozen=True):
    """One thing to put right, and why. `payload` starts `machine`."""

    service: str
    kind: Literal[
        "repair_drift",
        "roll_back",
        "resume_rollback",
        "resume_watch",
        "cannot_tell",
        "repair_refused",
        "quarantine",
        "record_missing",
        "left_alone",
    ]
    reason: str
    machine: str = ""
    name: str = ""
    payload: dict[str, Any] = {}


def needed_repairs(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    """Everything that is wrong with one service (pure).

    Where the record is older than the world, or may be, nothing is put right by it.
    """
    if record.quarantine:
        return [Repair(record.service, "quarantine", record.quarantine.reason)]
    if facts.written is None:
        return [
            Repair(
                record.service,
                "cannot_tell",
                "the tags of the listener's rules could not be read, so the record may be older than the world; "
                "nothing was changed",
            )
        ]
    if is_newer(facts.written, record):
        why = f"its rule followed a newer record ({facts.written}) than this one ({record.mark})"
        return [Repair(record.service, "quarantine", why, payload=msgspec.to_builtins(facts.written))]
    found: list[Repair] = []
    if facts.weights is None:
        found.append(
            Repair(record.service, "cannot_tell", "the listener rule could not be read; nothing was changed")
        )
    elif dict(facts.weights) != record.weights_by_target_group():
        found.append(
            Repair(
                record.service,
                "repair_drift",
                f"the rule has {_named(record, facts.weights)}, the record wants {dict(record.desired)}",
            )
        )
    if record.rollback:
        found += _dead_rollback(record, facts, now)
    elif record.holder:
        found += _dead_release(record, facts, now)
    else:
        found += _unwatched(record, facts, now)
    return found


def _named(record: ServiceRecord, weights: Mapping[str, int]) -> dict[str, int]:
    names: dict[str, str] = {record.slots[slot].target_group: slot for slot in SLOTS}
    return {names.get(group, group): weight for group, weight in weights.items()}


def _ended_badly(execution: Execution | None) -> bool:
    return execution is not None and execution.status in ENDED_BADLY


def _dead_release(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    assert record.holder
    holder = record.holder
    if _ended_badly(facts.holder):
        assert facts.holder
        why = f"the execution of release {holder.release} ended {facts.holder.status} without letting go"
    elif holder.until <= now:
        why = f"the lease of release {holder.release} ran out"
    else:
        return []
    return [
        Repair(
            record.service,
            "roll_back",
            why,
            machine="rollback",
            name=_again(holder.release, "recovery", now, since=now),
            payload=_request(
                record,
                id=f"{holder.release}-recovery",
                release=holder.release,
                reason=why,
                by="reconciler",
                disposition="rejected",
            ),
        )
    ]


def _dead_rollback(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    assert record.rollback
    expired = record.holder is None or record.holder.until <= now
    died = _ended_badly(facts.holder) and now - record.generation_at > AGAIN_AFTER
    if not (expired or died):
        return []
    rollback = record.rollback
    why = f"rollback {rollback.id} has not finished and its execution is gone"
    return [
        Repair(
            record.service,
            "resume_rollback",
            why,
            machine="rollback",
            name=_again(rollback.id, "resume", now, since=rollback.at),
            payload=_request(
                record,
                id=rollback.id,
                release=rollback.release,
                reason=rollback.reason,
                by=rollback.by,
                disposition=rollback.disposition,
            ),
        )
    ]


def _unwatched(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    if record.stable is None:
        return []
    idle = record.slots[other(record.stable)]
    if not idle.running or idle.retiring:
        # Whose retirement was begun is retired by the cluster's reconciler, should the watch not come to it.
        return []
    running = facts.watch is not None and facts.watch.status == "RUNNING"
    if running and now < record.window_until + WATCH_GRACE:
        return []
    why = f"slot {other(record.stable)} still has capacity and nothing watches over its rollback window"
    return [
        Repair(
            record.service,
            "resume_watch",
            why,
            machine="watch",
            name=_again(record.promoted_release, "watch", now, since=record.window_until),
            payload=msgspec.to_builtins(watch_context(record)),
        )
    ]


def _request(record: ServiceRecord, **fields: Any) -> dict[str, Any]:
    """Input of the rollback machine for a record's service."""
    request = RollbackRequest(environment=record.environment, service=record.service, **fields)
    return dict(msgspec.to_builtins(request))


def _again(name: str, what: str, now: float, *, since: float) -> str:
    """An execution name that allows one new start in so many seconds; `since` is when it should have ended."""
    every = next((pace for lasted, pace in PACES if now - since < lasted), SLOWEST)
    return bounded_name(name, what, str(int(now // every)), longest=EXECUTION)


def reconcile_traffic(
    died: Died = NOBODY,
    *,
    environment: str,
    listeners: Sequence[str],
    records: ServiceRecords,
    rules: Rules,
    executions: Executions,
    journal: Journal,
    events: EventPublisher,
    switchboard: Switchboard,
    now: Now,
    left: Callable[[], float] = lambda: math.inf,
) -> list[Repair]:
    """Look at every record of the environment and put right what is wrong.

    `left` says how many seconds it still has: it writes weights, so it lives no longer than other writers of them,
    and what it does not come to is the next look's, which begins somewhere else.

    What needs a person is told of as a finding, and keeps nobody from the other services. While automation is off
    nothing is put right, and what would have been is told. When an execution has just died that was a release
    without its service, nobody else is left to tell of it: should that fail it is raised, so that the event is tried
    again, and ends in the dead letters.
    """
    found: list[Repair] = []

    def tell(name: str, service: str, summary: str) -> None:
        events.publish(*record_finding(name, environment, service, summary, now()))

    known = records.all()
    for lost in known.unreadable:
        found.append(Repair(lost.service, "cannot_tell", lost.why))
        tell(
            "record-unreadable",
            lost.service,
            f"{lost.service} can be neither released nor rolled back: {lost.why}",
        )
    off = why_off(switchboard)
    written = _marks(dict.fromkeys([*listeners, *(each.listener for each in known)]), environment, rules)
    for record in in_turn(known, now()):
        if left() < ENOUGH:
            found.append(
                Repair(record.service, "cannot_tell", "there was no time left for it; the next look is soon")
            )
            continue
        try:
            facts = gather_facts(record, rules, executions, written)
            for repair in needed_repairs(record, facts, now()):
                made = make_repair(
                    record,
                    _left_alone(repair, off),
                    records=records,
                    rules=rules,
                    executions=executions,
                    journal=journal,
                    now=now,
                )
                if made is None:
                    continue
                found.append(made)
                if made.kind in TOLD:
                    tell(TOLD[made.kind], record.service, made.reason)
            if (
                facts.written is not None
                and facts.written < record.mark
                and not record.quarantine
                and not off
            ):
                stamp(record, rules=rules)
        except ControlPlaneError as error:
            # The other services must not wait for this one; the next look tries it again.
            found.append(Repair(record.service, "cannot_tell", str(error)))
            if isinstance(error, Permanent):
                tell("record-differs", record.service, str(error))
    there = {record.service for record in known} | {lost.service for lost in known.unreadable}
    for service in sorted(set(written or ()) - there):
        if (missing := _missing(service, environment, records)) is not None:
            found.append(missing)
            tell("record-missing", service, missing.reason)
    if died.name:
        journal.tell_end(died.name, f"its execution ended {died.status} before it had its service", now())
    return found


def in_turn(records: Iterable[ServiceRecord], now: float) -> list[ServiceRecord]:
    """The records in an order that is another one every minute, so that nobody is always the last."""
    minute = int(now // 60)
    return sorted(records, key=lambda record: zlib.crc32(f"{minute} {record.service}".encode()))


# What people are told of, once an hour, as a finding of this name.
TOLD = {
    "repair_refused": "drift-not-repaired",
    "quarantine": "record-older-than-world",
    "left_alone": "automation-off",
}


def _left_alone(repair: Repair, off: str) -> Repair:
    """The repair, or that it is not made while automation is off. What writes to records alone is made anyway."""
    if not off or repair.kind in ("cannot_tell", "quarantine"):
        return repair
    return Repair(repair.service, "left_alone", f"{repair.reason}; nothing was changed: {off}")


def _marks(listeners: Iterable[str], environment: str, rules: Rules) -> dict[str, RecordMark] | None:
    """The mark on the rule of each service; None when they could not be read."""
    try:
        tagged = [each for listener in listeners for each in rules.tagged(listener, environment)]
    except ControlPlaneError:
        return None
    return {each.service: each.mark for each in tagged if not each.smoke_token}


def _missing(service: str, environment: str, records: ServiceRecords) -> Repair | None:
    """That a service has a rule of ours and no record; None when it was onboarded while we looked."""
    try:
        records.get(service)
    except NotOnboarded:
        return Repair(
            service,
            "record_missing",
            f"{service} has a listener rule of ours and no record: the table was emptied, or an onboarding was cut "
            f"off. Nothing can be released or rolled back; its traffic stays where it is. Look with: candlefish "
            f"records verify {service} -e {environment}, then: candlefish records rebuild {service} -e {environment}",
        )
    except ControlPlaneError as error:
        return Repair(service, "cannot_tell", str(error))
    return None


def gather_facts(
    record: ServiceRecord, rules: Rules, executions: Executions, written: Mapping[str, RecordMark] | None
) -> TrafficFacts:
    """Read what there is to know; what cannot be read is None, never assumed.

    `written` is the mark on each service's rule.
    """
    try:
        weights: Mapping[str, int] | None = rules.read(record.rule)
    except Retryable:
        weights = None
    holder = record.holder.execution if record.holder else ""
    watcher = record.watcher if record.holder is None else ""
    return TrafficFacts(
        weights=weights,
        written=None if written is None else written.get(record.service, RecordMark()),
        holder=executions.status(holder) if holder else None,
        watch=executions.find("watch", watcher) if watcher else None,
    )


def make_repair(
    record: ServiceRecord,
    repair: Repair,
    *,
    records: ServiceRecords,
    rules: Rules,
    executions: Executions,
    journal: Journal,
    now: Now,
) -> Repair | None:
    """Make a repair and write it down; what came of it, None when there was nothing to repair after all.

    What was started before, or needs none any more, is not written down.
    """
    if repair.machine and executions.find(repair.machine, repair.name):
        return repair
    written: str = repair.kind
    match repair.kind:
        case "cannot_tell" | "repair_refused" | "record_missing" | "left_alone":
            return repair
        case "quarantine":
            newer = msgspec.convert(repair.payload, RecordMark)
            after = records.update(
                record.service, lambda r: quarantine(r, newer=newer, where="its rule", now=now())
            )
            if after.quarantine is None:
                # Somebody took the service over between our reads of the record and of the tags.
                return None
            why = (
                f"{after.quarantine.reason}. Nothing is done by it, neither by itself nor when asked, and traffic "
                f"stays where it is. Look with: candlefish records verify {record.service} -e {record.environment}, "
                f"then: candlefish records rebuild {record.service} -e {record.environment}"
            )
            return Repair(record.service, "quarantine", why)
        case "repair_drift":
            done = repair_drift(record, records=records, rules=rules)
            if done.refused:
                return Repair(
                    record.service, "repair_refused", f"{repair.reason}; it was left so: {done.refused}"
                )
            if done.writes == 0:
                # Somebody shifted it between our reads of the record and of the rule.
                return repair
            written = "drift_repaired"
        case "resume_watch":
            records.update(record.service, lambda r: msgspec.structs.replace(r, watcher=repair.name))
            executions.start(repair.machine, repair.name, repair.payload)
        case "roll_back" | "resume_rollback":
            executions.start(repair.machine, repair.name, repair.payload)
        case _:
            assert_never(repair.kind)
    subject = record.holder.release if record.holder else record.promoted_release
    if subject:
        journal.append(subject, ReleaseEntry(now(), written, repair.reason, by="reconciler"))
    return repair
