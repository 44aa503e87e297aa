"""The backstop: compare every record with the world, and put right what nobody else will.

Level-triggered: it looks at what is, not at what happened, so a lost or repeated event changes
nothing. It runs every minute, and when an execution of the control plane dies at once for the service that it was
about: when many die together, whole looks would take the load balancer's calls from those who take users back.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Literal, assert_never

import msgspec

from candlefish.automation import why_off
from candlefish.errors import ControlPlaneError, NotOnboarded, Permanent
from candlefish.measures import Measure
from candlefish.ports import EventPublisher, Executions, Meter, Now, Switchboard
from candlefish.release.drift import changed_by_others, to_settle, weights_settle_at
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.news import RecordFinding, record_finding
from candlefish.release.traffic_facts import (
    BY_TURNS,
    ENOUGH,
    Listed,
    TrafficFacts,
    changed_beside,
    executions_due,
    executions_of,
    gather_facts,
    list_rules,
    mark_on,
    read_tags,
)
from candlefish.release.traffic_repairs import Repair, missing_words, needed_repairs, overdue
from candlefish.service.model import RecordMark, Remnant
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, clear_remnant, quarantine, settle_weights
from candlefish.traffic.ports import Rules
from candlefish.traffic.shadow import shadowing, taken_whole
from candlefish.traffic.shift import repair_drift, stamp


class Died(msgspec.Struct, frozen=True):
    """What Step Functions says of an execution that ended badly. A release's execution has its name."""

    name: str = ""
    status: str = ""


NOBODY = Died()


class LookEvent(msgspec.Struct, frozen=True):
    """The end of an execution, or a schedule's event, which has no detail to speak of."""

    detail: Died = NOBODY


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
    writers_live: float,
    meter: Meter,
    now: Now,
    left: Callable[[], float] = lambda: math.inf,
) -> list[Repair]:
    """Look at every record of the environment and put right what is wrong.

    `writers_live` is how long a function that writes weights lives at most, in seconds: what may still be a write of
    one of them is nobody else's. `left` says how many seconds it still has: it writes weights, so it lives no longer than other writers of them,
    and what it does not come to is the next look's, which begins somewhere else.

    What needs a person is told of as a finding, and keeps nobody from the other services. While automation is off
    nothing is put right, and what would have been is told. When an execution has just died that was a release
    without its service, nobody else is left to tell of it: should that fail it is raised, so that the event is tried
    again, and ends in the dead letters.
    """
    found: list[Repair] = []

    def tell(name: RecordFinding, service: str, summary: str) -> None:
        events.publish(*record_finding(name, environment, service, summary, now()))

    known = records.all()
    for lost in known.unreadable:
        found.append(Repair(lost.service, "cannot_tell", lost.why))
        tell(
            "record-unreadable",
            lost.service,
            f"{lost.service} can be neither released nor rolled back: {lost.why}",
        )
    at = now()
    looked_at = in_turn((each for each in known if not died.name or died.name in executions_of(each)), at)
    if died.name:
        # Rules that are not listed are asked for by their names.
        listed: Listed = {each.listener: {} for each in looked_at if each.balanced}
    else:
        listed = list_rules(
            [*listeners, *(each.listener for each in known if each.balanced)], rules, left, at
        )
    due = executions_due(looked_at, at)
    off = cache(lambda: why_off(switchboard))
    seen: list[tuple[ServiceRecord, TrafficFacts]] = []
    wrong: list[str] = []
    settled: list[str] = []

    def look(record: ServiceRecord) -> None:
        if late := overdue(record, at):
            tell("rollback-overdue", record.service, late)
        there = listed.get(record.listener) or {}
        if ours := there.get(record.rule):
            shadows = shadowing(there.values(), ours)
            if changed := changed_beside(record, ours, shadows):
                tell("load-balancer-changed", record.service, changed.words)
                records.update(record.service, lambda r: msgspec.structs.replace(r, beside=changed.now))
            if whole := taken_whole(shadows):
                tell("rule-in-front", record.service, f"{record.name}: {whole}")
        facts = gather_facts(record, listed, rules, executions, asked=record.service in due)
        seen.append((record, facts))
        if record.balanced and needed_repairs(record, facts, at):
            wrong.append(record.rule)

    def put_right(record: ServiceRecord, facts: TrafficFacts) -> None:
        needed = needed_repairs(record, facts, now())
        if left() < ENOUGH and (needed or facts.behind(record)):
            why = "there was no time left for it; the next look is soon"
            found.append(Repair(record.service, "cannot_tell", why))
            return
        for repair in needed:
            made = make_repair(
                record,
                _left_alone(repair, off()),
                writers_live=writers_live,
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
        if facts.behind(record) and not record.quarantine and not off():
            stamp(record, rules=rules)
        if (remnant := traffic_is_back(record, facts)) is not None:
            records.update(record.service, partial(clear_remnant, seen=remnant))
        if len(settled) < BY_TURNS and to_settle(
            record, facts.weights, read_at=at, writers_live=writers_live
        ):
            settled.append(record.service)
            records.update(record.service, partial(settle_weights, seen=record.intended_revision))

    def each(service: str, do: Callable[[], None]) -> None:
        # The other services must not wait for this one; the next look tries it again.
        try:
            do()
        except ControlPlaneError as error:
            found.append(Repair(service, "cannot_tell", str(error)))
            if isinstance(error, Permanent):
                tell("record-differs", service, str(error))

    for record in looked_at:
        each(record.service, partial(look, record))
    tags = read_tags(known, wrong, listed, environment, rules, at)
    for record, facts in seen:
        written = mark_on(record.rule, tags, needed=record.rule in wrong)
        each(record.service, partial(put_right, record, msgspec.structs.replace(facts, written=written)))
    there = {record.service for record in known} | {lost.service for lost in known.unreadable}
    ours = {said.service for said in tags.values() if said and said.environment == environment}
    for service in sorted(ours - there - {""}):
        if (missing := _missing(service, environment, records)) is not None:
            found.append(missing)
            tell("record-missing", service, missing.reason)
    if not_put_right := sum(each.kind in LEFT for each in found):
        meter.measure([Measure("NotPutRight", float(not_put_right))])
    if died.name:
        journal.tell_end(died.name, f"its execution ended {died.status} before it had its service", now())
    return found


def traffic_is_back(record: ServiceRecord, facts: TrafficFacts) -> Remnant | None:
    """What a rollback had to leave, where the rule was seen to send all users where they belong (pure)."""
    remnant = record.remnant
    if remnant is None or remnant.kind != "traffic_left" or facts.weights is None:
        return None
    return remnant if dict(facts.weights) == record.weights_by_target_group() else None


def in_turn(records: Iterable[ServiceRecord], now: float) -> list[ServiceRecord]:
    """The records in an order that is another one every minute, so that nobody is always the last."""
    minute = int(now // 60)
    return sorted(records, key=lambda record: zlib.crc32(f"{minute} {record.service}".encode()))


# What people are told of, once an hour, as a finding of this name.
TOLD: dict[str, RecordFinding] = {
    "repair_refused": "drift-not-repaired",
    "quarantine": "record-older-than-world",
    "left_alone": "automation-off",
}


# What a look leaves as it is.
LEFT = frozenset({"cannot_tell", "repair_refused", "quarantine", "record_missing", "left_alone"})


def _left_alone(repair: Repair, off: str) -> Repair:
    """The repair, or that it is not made while automation is off. What writes to records alone is made anyway."""
    if not off or repair.kind in ("cannot_tell", "quarantine"):
        return repair
    return Repair(repair.service, "left_alone", f"{repair.reason}; nothing was changed: {off}")


def _missing(service: str, environment: str, records: ServiceRecords) -> Repair | None:
    """That a service has a rule of ours and no record; None when it was onboarded while we looked."""
    try:
        records.get(service)
    except NotOnboarded:
        return Repair(service, "record_missing", missing_words(service, environment))
    except ControlPlaneError as error:
        return Repair(service, "cannot_tell", str(error))
    return None


def make_repair(
    record: ServiceRecord,
    repair: Repair,
    *,
    writers_live: float,
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
            read_at = now()
            done = repair_drift(record, records=records, rules=rules)
            if done.refused:
                # Whoever intended it may still be about to see to it.
                busy = read_at < weights_settle_at(done.record, writers_live)
                kind: Literal["cannot_tell", "repair_refused"] = "cannot_tell" if busy else "repair_refused"
                return Repair(record.service, kind, f"{repair.reason}; it was left so: {done.refused}")
            if done.writes == 0:
                # Somebody shifted it between our reads of the record and of the rule.
                return None
            if changed_by_others(done.record):
                written = "drift_repaired"
            else:
                written, repair = "shift_completed", _completed(repair, done.record, read_at)
        case "resume_watch":
            records.update(record.service, lambda r: msgspec.structs.replace(r, watcher=repair.name))
            executions.start(repair.machine, repair.name, repair.payload)
        case "roll_back" | "resume_rollback":
            executions.start(repair.machine, repair.name, repair.payload)
        case "shift_completed":
            raise AssertionError("nothing needs it: it is what came of a repair of drift")
        case _:
            assert_never(repair.kind)
    subject = record.holder.release if record.holder else record.promoted_release
    if subject:
        journal.append(subject, ReleaseEntry(now(), written, repair.reason, by="reconciler"))
    return repair


def _completed(repair: Repair, record: ServiceRecord, at: float) -> Repair:
    """That the rule was written in the place of a shift of ours that had not arrived; nobody changed anything."""
    ago = max(0.0, at - max(record.intended_at, record.generation_at))
    why = (
        f"{repair.reason}; that was intended {ago:.0f} s before and had not arrived, or nothing shows that it had. It has "
        "arrived now"
    )
    return Repair(record.service, "shift_completed", why)
