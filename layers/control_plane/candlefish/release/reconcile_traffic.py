"""The backstop: compare every record with the world, and put right what nobody else will.

Level-triggered: it looks at what is, not at what happened, so a lost or repeated event changes
nothing. It runs every minute, and when an execution of the control plane dies at once for the service that it was
about: when many die together, whole looks would take the load balancer's calls from those who take users back.

What a look costs does not grow with the services: the records by one query, the rules by one call for each listener.
What would cost a call for each service is asked for where something is wrong, and of the others by turns.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from candlefish.automation import why_off
from candlefish.errors import ControlPlaneError, NotOnboarded, Permanent, Retryable, Throttled
from candlefish.names import EXECUTION, bounded_name
from candlefish.ports import EventPublisher, Execution, Executions, Now, Switchboard
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.news import record_finding
from candlefish.release.payloads import watch_context
from candlefish.service.model import SLOTS, RecordMark, RollbackRequest, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import AllRecords, ServiceRecord, is_newer, quarantine
from candlefish.traffic.ports import TAGS_AT_ONCE, Rules, RuleTags
from candlefish.traffic.rules import weights_of
from candlefish.traffic.shadow import beside, taken_whole
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
# How many marks and executions a look asks for by turns, and how many marks when something is wrong.
BY_TURNS = TAGS_AT_ONCE
IN_DOUBT = 10 * TAGS_AT_ONCE
# A rollback that lasts longer than this, in seconds, is told of.
OVERDUE = 600.0
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

    `written` is the mark of the record that the rule followed last, None when it could not be read, and unset when it
    was not this service's turn. Step Functions knows nothing of an execution that is None; it was not `asked` when it
    was not their turn.
    """

    weights: Mapping[str, int] | None
    written: RecordMark | UnsetType | None = RecordMark()
    holder: Execution | None = None
    watch: Execution | None = None
    asked: bool = True

    def behind(self, record: ServiceRecord) -> bool:
        """Whether the rule is known to follow an older record."""
        return isinstance(self.written, RecordMark) and self.written < record.mark


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


def needs_watch(record: ServiceRecord) -> bool:
    """Whether somebody has to watch over a service that nobody holds: its idle slot still has capacity.

    Whose retirement was begun is retired by the cluster's reconciler, should the watch not come to it.
    """
    if record.stable is None or record.holder:
        return False
    idle = record.slots[other(record.stable)]
    return bool(idle.running and not idle.retiring)


def _unwatched(record: ServiceRecord, facts: TrafficFacts, now: float) -> list[Repair]:
    if not needs_watch(record):
        return []
    assert record.stable
    running = not facts.asked or (facts.watch is not None and facts.watch.status == "RUNNING")
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
    at = now()
    looked_at = in_turn((each for each in known if not died.name or died.name in _executions_of(each)), at)
    if died.name:
        # Rules that are not listed are asked for by their names.
        listed: Listed = {each.listener: {} for each in looked_at}
    else:
        listed = _listed([*listeners, *(each.listener for each in known)], rules, left, at)
    due = executions_due(looked_at, died.name, at)
    off = cache(lambda: why_off(switchboard))
    seen: list[tuple[ServiceRecord, TrafficFacts]] = []
    wrong: list[str] = []

    def look(record: ServiceRecord) -> None:
        if late := overdue(record, at):
            tell("rollback-overdue", record.service, late)
        if changed := changed_beside(record, listed.get(record.listener)):
            tell("load-balancer-changed", record.service, changed.words)
            records.update(record.service, lambda r: msgspec.structs.replace(r, beside=changed.now))
        if whole := taken_whole((listed.get(record.listener) or {}).values(), record.rule):
            tell("rule-in-front", record.service, f"{record.name}: {whole}")
        facts = gather_facts(record, listed, rules, executions, asked=record.service in due)
        seen.append((record, facts))
        if needed_repairs(record, facts, at):
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
    tags = _read_tags(known, wrong, listed, environment, rules, at)
    for record, facts in seen:
        written = _mark_of(record.rule, tags, needed=record.rule in wrong)
        each(record.service, partial(put_right, record, msgspec.structs.replace(facts, written=written)))
    there = {record.service for record in known} | {lost.service for lost in known.unreadable}
    ours = {said.service for said in tags.values() if said and said.environment == environment}
    for service in sorted(ours - there - {""}):
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


# The rules of each listener by their ARN; None where they could not be read.
Listed = Mapping[str, Mapping[str, Mapping[str, Any]] | None]


def _listed(listeners: Iterable[str], rules: Rules, left: Callable[[], float], now: float) -> Listed:
    """The rules of every listener. One that is gone has none: its services' rules are asked for by name.

    Whose turn it is comes first, so that one that does not answer keeps the others from being looked at only once.
    """
    found: dict[str, Mapping[str, Mapping[str, Any]] | None] = {}
    busy = False
    for listener in by_turns(list(dict.fromkeys(listeners)), 1, now):
        if busy or left() < ENOUGH:
            found[listener] = None
            continue
        try:
            found[listener] = {rule["RuleArn"]: rule for rule in rules.listed(listener)}
        except Throttled:
            # What is left of the load balancer's calls is for those who shift traffic; the next look is soon.
            found[listener], busy = None, True
        except Retryable:
            found[listener] = None
        except ControlPlaneError:
            found[listener] = {}
    return found


class ChangedBeside(msgspec.Struct, frozen=True):
    """That others changed what they have on the load balancer for a service; it is told, and left as it is."""

    now: tuple[str, ...]
    words: str


def changed_beside(
    record: ServiceRecord, listed: Mapping[str, Mapping[str, Any]] | None
) -> ChangedBeside | None:
    """What others changed since the last look: a login before the forward, a rule in front (pure)."""
    if not listed or record.rule not in listed:
        return None
    now = beside(listed.values(), listed[record.rule])
    if now == record.beside:
        return None
    came = [each for each in now if each not in record.beside]
    went = [each for each in record.beside if each not in now]
    said = [f"new: {', '.join(came)}"] * bool(came) + [f"gone: {', '.join(went)}"] * bool(went)
    what = "; ".join(said) or f"in another order: {', '.join(now)}"
    return ChangedBeside(
        now,
        f"somebody changed what else is done with requests for {record.name}: {what}. Nothing was changed here",
    )


def by_turns(names: Sequence[str], at_once: int, now: float) -> list[str]:
    """All names, those whose turn it is in this minute first (pure)."""
    first = int(now // 60) * at_once % len(names) if len(names) > at_once else 0
    return [*names[first:], *names[:first]]


def executions_due(known: Iterable[ServiceRecord], died: str, now: float) -> set[str]:
    """The services whose executions Step Functions is asked about: those of which one `died`, others by turns (pure).

    That an execution ended is news. Asking is for news that got lost; a lease that has run out needs no asking.
    """
    alive = [each for each in known if each.holder or needs_watch(each)]
    turn = by_turns([each.service for each in alive], BY_TURNS, now)[:BY_TURNS]
    return {*turn, *(each.service for each in alive if died and died in _executions_of(each))}


def _executions_of(record: ServiceRecord) -> tuple[str, str]:
    holder = record.holder.execution if record.holder else ""
    return holder.rpartition(":")[2], record.watcher


# What was asked of rules' tags: what they say, by the rule's ARN; None where they could not be read.
Asked = Mapping[str, RuleTags | None]


def _read_tags(
    known: AllRecords,
    wrong: Sequence[str],
    listed: Listed,
    environment: str,
    rules: Rules,
    now: float,
) -> Asked:
    """The tags of the rules with which something is wrong, and of some others by turns.

    Of more others as soon as one shows that the record it followed was lost, or is newer than what is stored: then the
    whole table may be.
    """
    marks = {each.rule: each.mark for each in known}
    smoke = {each.smoke_rule for each in known}
    others = sorted({arn for each in listed.values() for arn in each or ()} - smoke - set(wrong))
    order = [*wrong, *by_turns(others, BY_TURNS, now)]
    unreadable = {each.service for each in known.unreadable}
    found: dict[str, RuleTags | None] = {}
    least = min(len(wrong) + BY_TURNS, IN_DOUBT)

    def doubtful(arn: str, said: RuleTags | None) -> bool:
        if said is None or said.environment != environment or said.service in unreadable:
            return False
        return arn not in marks or said.mark > marks[arn]

    for first in range(0, min(len(order), IN_DOUBT), TAGS_AT_ONCE):
        if first >= least and not any(doubtful(*each) for each in found.items()):
            break
        some = order[first : first + TAGS_AT_ONCE]
        try:
            found |= rules.tags(some)
        except ControlPlaneError:
            found |= dict.fromkeys(some)
    return found


def _mark_of(rule: str, tags: Asked, *, needed: bool) -> RecordMark | UnsetType | None:
    """The mark on a rule; None where it could not be read, or is needed and was not."""
    if rule not in tags:
        return None if needed else UNSET
    said = tags[rule]
    return said.mark if said else None


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
    record: ServiceRecord, listed: Listed, rules: Rules, executions: Executions, *, asked: bool
) -> TrafficFacts:
    """What there is to know of a service without its mark; what cannot be read is None, never assumed.

    Step Functions is `asked` about its executions, or not. A rule that is not listed is asked for by its name, which
    says so where it is gone.
    """
    there = listed.get(record.listener)
    weights: Mapping[str, int] | None
    if there is None:
        weights = None
    elif record.rule in there:
        weights = weights_of(there[record.rule])
    else:
        try:
            weights = rules.read(record.rule)
        except Retryable:
            weights = None
    holder = record.holder.execution if record.holder else ""
    watcher = record.watcher if needs_watch(record) else ""
    return TrafficFacts(
        weights=weights,
        written=UNSET,
        holder=executions.status(holder) if holder and asked else None,
        watch=executions.find("watch", watcher) if watcher and asked else None,
        asked=asked,
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
