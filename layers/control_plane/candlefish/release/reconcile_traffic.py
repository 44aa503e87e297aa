"""The backstop: compare every record with the world, and put right what nobody else will.

Level-triggered: it looks at what is, not at what happened, so a lost or repeated event changes
nothing. It runs every minute, and at once when an execution of the control plane dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, assert_never

import msgspec

from candlefish.errors import ControlPlaneError, Retryable
from candlefish.ports import EventPublisher, Execution, Executions, Now
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.news import unreadable_event
from candlefish.release.payloads import watch_context
from candlefish.service.model import SLOTS, RollbackRequest, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import repair_drift

# After its window closed, the watch machine has this long to drain and retire the previous slot.
WATCH_GRACE = 1800.0
# A failed rollback or watch is started again at most this often, in seconds.
AGAIN_AFTER = 60.0
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
    """What the world says of one service. `weights` is None when the rule could not be read."""

    weights: Mapping[str, int] | None
    holder: Execution | None = None
    watch: Execution | None = None


class Repair(msgspec.Struct, frozen=True):
    """One thing to put right, and why. `payload` starts `machine`."""

    service: str
    kind: Literal["repair_drift", "roll_back", "resume_rollback", "resume_watch", "cannot_tell"]
    reason: str
    machine: str = ""
    name: str = ""
    payload: dict[str, Any] = {}


def needed_repairs(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    """Everything that is wrong with one service (pure)."""
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
            name=_again(holder.release, "recovery", now),
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
            name=_again(rollback.id, "resume", now),
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
    if record.stable is None or not record.slots[other(record.stable)].running:
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
            name=_again(record.promoted_release, "watch", now),
            payload=msgspec.to_builtins(watch_context(record)),
        )
    ]


def _request(record: ServiceRecord, **fields: Any) -> dict[str, Any]:
    """Input of the rollback machine for a record's service."""
    request = RollbackRequest(environment=record.environment, service=record.service, **fields)
    return dict(msgspec.to_builtins(request))


def _again(name: str, what: str, now: float) -> str:
    """An execution name that allows one new start each `AGAIN_AFTER` seconds."""
    suffix = f"-{what}-{int(now // AGAIN_AFTER)}"
    return name[: 80 - len(suffix)] + suffix


def reconcile_traffic(
    died: Died = NOBODY,
    *,
    environment: str,
    records: ServiceRecords,
    rules: Rules,
    executions: Executions,
    journal: Journal,
    events: EventPublisher,
    now: Now,
) -> list[Repair]:
    """Look at every record of the environment and put right what is wrong.

    A record that cannot be read is told of as a finding, and keeps nobody from the others. When an execution has just died that was a release without its service, nobody else is left to tell of it:
    should that fail it is raised, so that the event is tried again, and ends in the dead letters.
    """
    found: list[Repair] = []
    known = records.all()
    for lost in known.unreadable:
        found.append(Repair(lost.service, "cannot_tell", lost.why))
        events.publish(*unreadable_event(environment, lost.service, lost.why, now()))
    for record in known:
        try:
            for repair in needed_repairs(record, gather_facts(record, rules, executions), now()):
                found.append(repair)
                make_repair(
                    record,
                    repair,
                    records=records,
                    rules=rules,
                    executions=executions,
                    journal=journal,
                    now=now,
                )
        except ControlPlaneError as error:
            # The other services must not wait for this one; the next look tries it again.
            found.append(Repair(record.service, "cannot_tell", str(error)))
    if died.name:
        journal.tell_end(died.name, f"its execution ended {died.status} before it had its service", now())
    return found


def gather_facts(record: ServiceRecord, rules: Rules, executions: Executions) -> TrafficFacts:
    """Read what there is to know; what cannot be read is None, never assumed."""
    try:
        weights: Mapping[str, int] | None = rules.read(record.rule)
    except Retryable:
        weights = None
    holder = record.holder.execution if record.holder else ""
    watcher = record.watcher if record.holder is None else ""
    return TrafficFacts(
        weights=weights,
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
) -> None:
    """Make a repair and write it down; what was started before, or needs none any more, is not written down."""
    if repair.machine and executions.find(repair.machine, repair.name):
        return
    written: str = repair.kind
    match repair.kind:
        case "cannot_tell":
            return
        case "repair_drift":
            if repair_drift(record, records=records, rules=rules).writes == 0:
                # Somebody shifted it between our reads of the record and of the rule.
                return
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
