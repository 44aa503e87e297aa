"""What is wrong with a service's record, rule and executions, and what puts it right. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from candlefish.names import EXECUTION, bounded_name
from candlefish.ports import Execution
from candlefish.release.payloads import watch_context
from candlefish.release.traffic_facts import TrafficFacts, needs_watch
from candlefish.service.model import SLOTS, RecordMark, RollbackRequest, other
from candlefish.service.record import ServiceRecord, is_newer

# A promoted release has this long to start its watch, in seconds: its machine goes on trying for about as long.
WATCH_STARTS = 60.0
# After its window closed, the watch machine has this long to drain and retire the previous slot.
WATCH_GRACE = 1800.0
# A failed rollback or watch is started again at most this often, in seconds: every minute at first, and more rarely
# the longer it has lasted (up to so many seconds: so often).
AGAIN_AFTER = 60.0
PACES = ((600.0, AGAIN_AFTER), (6 * 3600.0, 600.0))
SLOWEST = 3600.0
# A rollback that lasts longer than this, in seconds, is told of.
OVERDUE = 600.0
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


class Repair(msgspec.Struct, frozen=True):
    """One thing to put right, and why. `payload` starts `machine`."""

    service: str
    kind: Literal[
        "repair_drift",
        "shift_completed",
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
    if isinstance(facts.written, RecordMark) and is_newer(facts.written, record):
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
                differing_words("the rule has", record, facts.weights),
            )
        )
    if record.rollback:
        found += _dead_rollback(record, facts, now)
    elif record.holder:
        found += _dead_release(record, facts, now)
    else:
        found += _unwatched(record, facts, now)
    return found


def missing_words(service: str, environment: str) -> str:
    """That what moves a service's traffic is there and its record is not, and what to do."""
    return (
        f"{service} has a rule of ours and no record: the table was emptied, or an onboarding was cut off. Nothing "
        "can be released or rolled back; its traffic stays where it is. Look with: candlefish records verify "
        f"{service} -e {environment}, then: candlefish records rebuild {service} -e {environment}"
    )


def differing_words(has: str, record: ServiceRecord, weights: Mapping[str, int]) -> str:
    """What weights are, by target group, and what the record wants, slot by slot."""
    names: dict[str, str] = {record.slots[slot].target_group: slot for slot in SLOTS}
    seen = sorted((names.get(group, group), weight) for group, weight in weights.items())
    said = ", ".join(f"{name} {weight}%" for name, weight in seen) or "nothing"
    wants = ", ".join(f"{slot} {record.desired[slot]}%" for slot in sorted(SLOTS))
    return f"{has} {said}, the record wants {wants}"


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


def overdue(record: ServiceRecord, now: float) -> str:
    """That a rollback should have ended long ago, and what to look at; empty when none is late."""
    if record.rollback is None or now - record.rollback.at < OVERDUE:
        return ""
    minutes = int((now - record.rollback.at) // 60)
    where = f"candlefish status {record.rollback.release or record.service} -e {record.environment}"
    return (
        f"rollback {record.rollback.id} of {record.service} has not finished for {minutes} minutes; it is taken up again "
        f"by itself, and no release can begin meanwhile. Traffic went back at its beginning. Look with: {where}"
    )


def _dead_rollback(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    assert record.rollback
    expired = record.holder is None or record.holder.until <= now
    # Traffic may be back by the hand of who decided, before the execution that is to finish it begins.
    never_began = facts.holder is not None and facts.holder.status == "UNKNOWN"
    died = (_ended_badly(facts.holder) or never_began) and now - record.generation_at > AGAIN_AFTER
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
    if not needs_watch(record):
        return []
    assert record.stable
    running = not facts.asked or (facts.watch is not None and facts.watch.status == "RUNNING")
    if running and now < record.window_until + WATCH_GRACE:
        return []
    # Promoting is the last that a release writes.
    if facts.watch is None and record.watcher and now < record.earlier_writers_at + WATCH_STARTS:
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
