"""Handling one delivery: decide about each signal in it, claim, act or say why not, write it all down.

Safe to repeat at any point: a message of the queue may come again, and what was claimed is claimed
by the firing itself, what was started is named by the claim, what was told by the message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.errors import InvalidInput, NotOnboarded
from candlefish.ports import EventPublisher, Executions, Now
from candlefish.release.journal import Journal, Release
from candlefish.service.model import Hold
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, add_hold, lift_hold
from candlefish.signals import record as g
from candlefish.signals.classify import classify
from candlefish.signals.decide import SignalFacts, decide_signal
from candlefish.signals.model import (
    PASSIVE,
    Delivery,
    KnownAlert,
    LoggedSignal,
    Signal,
    SignalDecision,
    SignalResponse,
    response_id,
)
from candlefish.signals.ports import Guards, SignalLog, Switchboard
from candlefish.signals.record import Claim, GuardRecord, Refusal

# After these refusals nothing new is known of the alert.
NO_NEWS = frozenset({"stale", "order", "duplicate", "scope"})


class SignalPorts(msgspec.Struct, frozen=True):
    """Everything a delivery is handled with."""

    environment: str
    catalog: Catalog
    guards: Guards
    log: SignalLog
    records: ServiceRecords
    journal: Journal
    executions: Executions
    events: EventPublisher
    switchboard: Switchboard
    # Why the environment sleeps; empty while it is awake.
    asleep: Callable[[], str]
    now: Now


def handle_signal(delivery: Delivery, *, message: str, desk: SignalPorts) -> list[LoggedSignal]:
    """Decide and act about every signal of a delivery; the lines that were written to the log.

    `message` identifies the queue's message over redeliveries.
    """
    policy = desk.catalog.responses.guard
    signals = [
        classify(a, delivery, catalog=desk.catalog, environment=desk.environment) for a in delivery.alerts
    ]
    storm = storm_of(delivery, signals, desk)
    counted = (
        _grouped(signals) if storm and delivery.total > policy.storm_alerts else [(s, 1) for s in signals]
    )
    # The newest news of an alert first, so that what is older in the same message counts as such.
    counted.sort(key=lambda pair: (pair[0].severity, -pair[0].alert.as_of))
    seen = desk.log.seen([s.alert.fingerprint for s, _ in counted])
    known = dict(seen)
    tag_off = desk.switchboard.off() if any(s.do not in PASSIVE for s, _ in counted) else ""
    asleep = desk.asleep()
    world = _World(desk)
    guard = desk.guards.get()
    lines: list[LoggedSignal] = []
    for signal, count in counted:
        record, release = world.of(signal)
        facts = SignalFacts(
            environment=desk.environment,
            guard=guard,
            tag_off=tag_off,
            asleep=asleep,
            storm=storm,
            replay=delivery.replay,
            seen=known.get(signal.alert.fingerprint),
            record=record,
            release=release,
        )
        now = desk.now()
        decision = decide_signal(signal, facts, policy=policy, now=now)
        response = ""
        if decision.action in ("rollback", "hold", "failover"):
            guard, granted = claim_action(signal, decision.action, desk, now)
            if isinstance(granted, Refusal):
                decision = SignalDecision(
                    "none", granted.reason, gate=granted.gate, tell=granted.gate != "cooldown"
                )
            else:
                response = start_response(signal, decision, granted, desk)
        elif decision.action in ("join", "lift"):
            world.put(signal, _bookkeep(signal, decision, desk, now))
        line = LoggedSignal(now, signal, decision, count, response)
        lines.append(line)
        if decision.gate not in NO_NEWS:
            known[signal.alert.fingerprint] = _seen(line, known, set())
    _tell_and_log(lines, seen, world, message, desk)
    return lines


def storm_of(delivery: Delivery, signals: Sequence[Signal], desk: SignalPorts) -> str:
    """Why a delivery is a storm; empty when it is none."""
    policy = desk.catalog.responses.guard
    if delivery.truncated:
        return f"a storm: the source left out {delivery.truncated} of {delivery.total} alerts"
    if delivery.total > policy.storm_alerts:
        return f"a storm: {delivery.total} alerts at once, the limit is {policy.storm_alerts}"
    subjects = {
        s.about
        for s in signals
        if s.do not in PASSIVE and s.alert.status == "firing" and s.environment == desk.environment
    }
    if len(subjects) > policy.storm_subjects:
        return (
            f"a storm: {len(subjects)} subjects at once ({', '.join(sorted(subjects))}), "
            f"the limit is {policy.storm_subjects}, so the cause is probably something they share"
        )
    return ""


def claim_action(
    signal: Signal, action: str, desk: SignalPorts, now: float
) -> tuple[GuardRecord, Claim | Refusal]:
    """Claim an action in the guard's memory, whoever else does so at this moment."""
    policy = desk.catalog.responses.guard
    outcome: list[Claim | Refusal] = []

    def change(guard: GuardRecord) -> GuardRecord:
        after, result = g.claim(guard, signal, action, policy=policy, now=now)
        outcome[:] = [result]
        return after

    stored = desk.guards.update(change)
    return stored, outcome[0]


def start_response(signal: Signal, decision: SignalDecision, granted: Claim, desk: SignalPorts) -> str:
    """Start the `respond` machine for a claim; starting it again is harmless."""
    name = response_id(signal.about, decision.action, granted.owner, granted.at)
    response = SignalResponse(
        id=name,
        environment=desk.environment,
        action=cast(Any, decision.action),
        kind=signal.kind,
        subject=signal.subject,
        reason=decision.reason,
        decided_at=granted.at,
        signal=signal,
        release=decision.release,
        settle_at=granted.until if decision.action == "hold" else 0.0,
    )
    desk.executions.start("respond", name, msgspec.to_builtins(response))
    return name


def _bookkeep(signal: Signal, decision: SignalDecision, desk: SignalPorts, now: float) -> ServiceRecord:
    if decision.action == "lift":
        return desk.records.update(signal.subject, lambda r: lift_hold(r, signal.hold_key))
    entry = Hold(
        signal.hold_key, f"{signal.name}: {signal.alert.summary}"[:500], now, f"signal {signal.name}"
    )

    def join(record: ServiceRecord) -> ServiceRecord:
        holder = record.holder
        return add_hold(record, entry) if holder and holder.release == decision.release else record

    return desk.records.update(signal.subject, join)


class _World:
    """Records and releases of the services of one delivery, each read once."""

    def __init__(self, desk: SignalPorts) -> None:
        self._desk = desk
        self._known: dict[str, tuple[ServiceRecord | None, Release | None]] = {}

    def of(self, signal: Signal) -> tuple[ServiceRecord | None, Release | None]:
        """The record and the newest release of a signal's service."""
        if signal.kind != "service" or signal.environment not in ("", self._desk.environment):
            return None, None
        if signal.subject not in self._known:
            self._known[signal.subject] = self._read(signal.subject)
        return self._known[signal.subject]

    def put(self, signal: Signal, record: ServiceRecord) -> None:
        """Keep a record that was changed."""
        self._known[signal.subject] = record, self._known[signal.subject][1]

    def _read(self, service: str) -> tuple[ServiceRecord | None, Release | None]:
        try:
            record = self._desk.records.get(service)
        except NotOnboarded:
            return None, None
        newest = record.holder.release if record.holder and not record.rollback else record.promoted_release
        try:
            return record, self._desk.journal.read(newest) if newest else None
        except InvalidInput:
            return record, None


def _grouped(signals: Sequence[Signal]) -> list[tuple[Signal, int]]:
    """In a storm one line stands for all alerts of one name about one subject."""
    groups: dict[tuple[str, ...], list[Signal]] = {}
    for signal in signals:
        groups.setdefault((signal.about, signal.name, signal.alert.status), []).append(signal)
    return [(min(group, key=lambda s: s.alert.started_at), len(group)) for group in groups.values()]


def _tell_and_log(
    lines: Sequence[LoggedSignal], seen: dict[str, KnownAlert], world: _World, message: str, desk: SignalPorts
) -> None:
    policy = desk.catalog.responses.guard
    wanted: dict[str, LoggedSignal] = {}
    for line in lines:
        if line.decision.tell and not _told_before(line, seen):
            wanted.setdefault(notification_key(line), line)
    granted: frozenset[str] = frozenset()

    def change(guard: GuardRecord) -> GuardRecord:
        nonlocal granted
        after, granted = g.claim_notifications(guard, wanted, message, policy=policy, now=desk.now())
        return after

    if wanted:
        desk.guards.update(change)
    for key, line in wanted.items():
        if key in granted:
            desk.events.publish("signal.decided", _detail(line, lines, world, desk))
    if g.FLOOD in granted:
        desk.events.publish(
            "signal.flood", {"environment": desk.environment, "at": desk.now(), "count": len(lines)}
        )
    told = {line.signal.alert.fingerprint for key, line in wanted.items() if key in granted}
    desk.log.append(lines, [_seen(line, seen, told) for line in lines if line.decision.gate not in NO_NEWS])


def notification_key(line: LoggedSignal) -> str:
    """What counts as the same message: one subject, one severity, one reason."""
    return f"{line.signal.about}|{line.signal.severity}|{line.decision.gate or line.decision.action}"


def _told_before(line: LoggedSignal, seen: dict[str, KnownAlert]) -> bool:
    """Somebody knows of this firing already. P0 and actions are told again."""
    before = seen.get(line.signal.alert.fingerprint)
    same = before is not None and before.told and before.as_of == line.signal.alert.as_of
    return same and line.signal.severity != "P0" and line.decision.action == "none"


def _seen(line: LoggedSignal, seen: dict[str, KnownAlert], told: set[str]) -> KnownAlert:
    alert = line.signal.alert
    before = seen.get(alert.fingerprint)
    return KnownAlert(
        fingerprint=alert.fingerprint,
        status=alert.status,
        as_of=alert.as_of,
        started_at=alert.started_at,
        settled=not line.decision.gate,
        told=alert.fingerprint in told or (before is not None and before.told and alert.status == "firing"),
    )


def _detail(
    line: LoggedSignal, lines: Sequence[LoggedSignal], world: _World, desk: SignalPorts
) -> dict[str, Any]:
    signal, decision = line.signal, line.decision
    _, release = world.of(signal)
    alike = sum(other.count for other in lines if notification_key(other) == notification_key(line))
    return {
        "environment": desk.environment,
        "about": signal.about,
        "kind": signal.kind,
        "subject": signal.subject,
        "severity": signal.severity,
        "status": signal.alert.status,
        "name": signal.name,
        "summary": signal.alert.summary,
        "action": decision.action,
        "wanted": signal.do,
        "gate": decision.gate,
        "reason": decision.reason,
        "owner": signal.owner,
        "runbook": signal.runbook,
        "link": signal.alert.link,
        "count": alike,
        "response": line.response,
        "at": line.at,
        "started_at": signal.alert.started_at,
        "last_release": {
            "id": release.id,
            "version": release.version.short,
            "requested_by": release.requested_by,
            "started_at": release.started_at,
            "status": release.status,
        }
        if release
        else None,
    }
