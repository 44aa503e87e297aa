"""Handling one delivery: decide about each signal in it, claim, act or say why not, write it all down.

Safe to repeat at any point: a message of the queue may come again, and what was claimed is claimed
by the firing itself, what was started is named by the claim, what was published by the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import assert_never

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.errors import InvalidInput, NotOnboarded
from candlefish.invocation import written_within
from candlefish.measures import Measure
from candlefish.release.model import Release
from candlefish.service.model import Hold
from candlefish.service.record import ServiceRecord, add_hold, lift_hold
from candlefish.signals.classify import classify
from candlefish.signals.decide import SignalFacts, asks_switch, continued, decide_signal, storm_of
from candlefish.signals.model import (
    NO_NEWS,
    PASSIVE,
    Delivery,
    KnownAlert,
    LoggedSignal,
    Signal,
    SignalDecision,
)
from candlefish.signals.news import decided_event, flood_event
from candlefish.signals.ports import Sight, SignalPorts
from candlefish.signals.record import (
    GuardRecord,
    Refusal,
    claim,
)
from candlefish.signals.taking_back import response_to, take_users_back
from candlefish.signals.telling import FLOOD, claim_tellings

# What changes something, and is counted as such.
ACTIONS = frozenset({"rollback", "hold", "failover"})


def handle_signal(delivery: Delivery, *, message: str, ports: SignalPorts) -> list[LoggedSignal]:
    """Decide and act about every signal of a delivery; the lines that were written to the log.

    `message` identifies the queue's message over redeliveries.
    """
    policy = ports.catalog.responses.guard
    signals = [
        classify(a, delivery, catalog=ports.catalog, environment=ports.environment) for a in delivery.alerts
    ]
    storm = storm_of(delivery, signals, policy=policy, environment=ports.environment)
    counted = (
        _grouped(signals) if storm and delivery.total > policy.storm_alerts else [(s, 1) for s in signals]
    )
    # The newest news of an alert first, so that what is older in the same message counts as such.
    counted.sort(key=lambda pair: (pair[0].severity, -pair[0].alert.as_of))
    about = dict.fromkeys(s.subject for s, _ in counted if _is_ours(s, ports.environment))
    # What is written rests on what is read here.
    with written_within(ports.writers_live):
        sight = _look(ports, [s.alert.fingerprint for s, _ in counted], list(about))
        services = _Services(ports, sight)
        lines = _decide_all(counted, storm, delivery, sight, services, ports)
    _publish_and_log(lines, sight, services, message, ports)
    # Last: a message that comes again finds in the log what was counted with it.
    ports.meter.measure(signal_measures(lines, sight.known))
    return lines


def _look(ports: SignalPorts, fingerprints: Sequence[str], services: Sequence[str]) -> Sight:
    """What a delivery is decided by, at once where the store has a way to do so."""
    if ports.look is not None:
        return ports.look(fingerprints, services)
    return Sight(ports.guards, ports.records, ports.log.seen(fingerprints), ports.asleep())


def _decide_all(
    counted: Sequence[tuple[Signal, int]],
    storm: str,
    delivery: Delivery,
    sight: Sight,
    services: _Services,
    ports: SignalPorts,
) -> list[LoggedSignal]:
    policy, known = ports.catalog.responses.guard, dict(sight.known)
    facts = SignalFacts(
        environment=ports.environment,
        off=ports.switchboard.off() if any(asks_switch(s, services.of(s)) for s, _ in counted) else "",
        asleep=sight.asleep,
        guard=sight.guards.get(),
        storm=storm,
        replay=delivery.replay,
    )
    lines: list[LoggedSignal] = []
    for signal, count in counted:
        signal = continued(signal, known.get(signal.alert.fingerprint))
        # A rollback is decided by the record alone: what a release's plan says is read for holds, and for news.
        release = services.release_of(signal) if signal.do == "hold" else None
        facts = msgspec.structs.replace(
            facts,
            seen=known.get(signal.alert.fingerprint),
            record=services.of(signal),
            release=release,
            experiments=release is not None and _experiments(release, ports.catalog),
        )
        now = ports.now()
        decision = decide_signal(signal, facts, policy=policy, now=now)
        decision, response, guard = _carry_out(signal, decision, facts.guard, services, sight, ports, now)
        facts = msgspec.structs.replace(facts, guard=guard)
        line = LoggedSignal(now, signal, decision, count, response)
        lines.append(line)
        if decision.gate not in NO_NEWS:
            known[signal.alert.fingerprint] = _known(line, known, set())
    return lines


def _carry_out(
    signal: Signal,
    decision: SignalDecision,
    guard: GuardRecord,
    services: _Services,
    sight: Sight,
    ports: SignalPorts,
    now: float,
) -> tuple[SignalDecision, str, GuardRecord]:
    """Do what was decided: what came of it, the response that was started, and the guard as it is now."""
    match decision.action:
        case "rollback" | "hold" | "failover":
            policy = ports.catalog.responses.guard
            claiming = partial(claim, signal=signal, action=decision.action, policy=policy, now=now)
            if decision.action == "rollback" and ports.take_back:
                take_users_back(signal, decision, claiming, sight, ports)
                services.forget(signal.subject)
            # Whoever else claims at this moment: one gets it. What was claimed with the record is ours.
            guard, granted = sight.guards.update(claiming)
            if isinstance(granted, Refusal):
                notify = granted.gate != "cooldown"
                return SignalDecision("none", granted.reason, gate=granted.gate, notify=notify), "", guard
            response = response_to(signal, decision, granted, ports)
            # Starting it again is harmless. It finds what was done here, and does what was not.
            ports.executions.start("respond", response.id, msgspec.to_builtins(response))
            return decision, response.id, guard
        case "join":
            services.put(signal, _join(signal, decision, sight, now))
        case "lift":
            services.put(
                signal, sight.records.update(signal.subject, lambda r: lift_hold(r, signal.hold_key))
            )
        case "none":
            pass
        case _:
            assert_never(decision.action)
    return decision, "", guard


def _experiments(release: Release, catalog: Catalog) -> bool:
    """Whether the policies by which a release is judged let it make experiments."""
    judged = {step.policy for step in release.plan if step.policy}
    return any(name in catalog.policies and catalog.policies[name].experiment for name in judged)


def _join(signal: Signal, decision: SignalDecision, sight: Sight, now: float) -> ServiceRecord:
    """Hold what is held already for this alert as well."""
    entry = Hold(
        signal.hold_key,
        f"{signal.name}: {signal.alert.summary}"[:500],
        now,
        f"signal {signal.name}",
        trial="wanted" if decision.trial else "",
    )

    def join(record: ServiceRecord) -> ServiceRecord:
        holder = record.holder
        return add_hold(record, entry) if holder and holder.release == decision.release else record

    return sight.records.update(signal.subject, join)


def _is_ours(signal: Signal, environment: str) -> bool:
    """Whether a signal is about a service here, so that its record says what may be done."""
    return signal.kind == "service" and signal.environment in ("", environment)


class _Services:
    """Records and releases of the services of one delivery, each read once."""

    def __init__(self, ports: SignalPorts, sight: Sight) -> None:
        self._ports, self._sight = ports, sight
        self._records: dict[str, ServiceRecord | None] = {}
        self._releases: dict[str, Release | None] = {}

    def of(self, signal: Signal) -> ServiceRecord | None:
        """The record of a signal's service; None where there is none."""
        if not _is_ours(signal, self._ports.environment):
            return None
        if signal.subject not in self._records:
            try:
                self._records[signal.subject] = self._sight.records.get(signal.subject)
            except NotOnboarded:
                self._records[signal.subject] = None
        return self._records[signal.subject]

    def release_of(self, signal: Signal) -> Release | None:
        """The newest release of a signal's service: the one that runs, is being taken back, or was promoted last."""
        record = self.of(signal)
        if record is None:
            return None
        running = record.holder.release if record.holder and not record.rollback else ""
        newest = running or (record.rollback.release if record.rollback else record.promoted_release)
        if newest not in self._releases:
            try:
                self._releases[newest] = self._ports.journal.read(newest) if newest else None
            except InvalidInput:
                self._releases[newest] = None
        return self._releases[newest]

    def put(self, signal: Signal, record: ServiceRecord) -> None:
        """Keep a record that was changed."""
        self._records[signal.subject] = record

    def forget(self, service: str) -> None:
        """Read a record anew where it is asked for again."""
        self._records.pop(service, None)


def _grouped(signals: Sequence[Signal]) -> list[tuple[Signal, int]]:
    """In a storm one line stands for all alerts of one name about one subject."""
    groups: dict[tuple[str, ...], list[Signal]] = {}
    for signal in signals:
        groups.setdefault((signal.about, signal.name, signal.alert.status), []).append(signal)
    return [(min(group, key=lambda s: s.alert.started_at), len(group)) for group in groups.values()]


def _publish_and_log(
    lines: Sequence[LoggedSignal],
    sight: Sight,
    services: _Services,
    message: str,
    ports: SignalPorts,
) -> None:
    wanted: dict[str, LoggedSignal] = {}
    for line in lines:
        if line.decision.notify and not _notified_before(line, sight.known):
            wanted.setdefault(_notification_key(line), line)
    cooldown = ports.catalog.responses.guard.cooldown.notify
    granted = claim_tellings(wanted, message, log=ports.log, cooldown=cooldown, now=ports.now())
    for key, line in wanted.items():
        if key in granted:
            alike = sum(other.count for other in lines if _notification_key(other) == key)
            release = services.release_of(line.signal)
            ports.events.publish(
                *decided_event(line, environment=ports.environment, count=alike, release=release)
            )
    if FLOOD in granted:
        ports.events.publish(*flood_event(ports.environment, count=len(lines), at=ports.now()))
    notified = {line.signal.alert.fingerprint for key, line in wanted.items() if key in granted}
    ports.log.append(
        lines, [_known(line, sight.known, notified) for line in lines if line.decision.gate not in NO_NEWS]
    )


def signal_measures(lines: Sequence[LoggedSignal], before: Mapping[str, KnownAlert]) -> list[Measure]:
    """What decisions count for, each news of an alert once (pure); `before` is what was known of the alerts."""
    found = []
    for line in lines:
        alert, decision = line.signal.alert, line.decision
        known = before.get(alert.fingerprint)
        again = known is not None and (known.status, known.as_of) == (alert.status, alert.as_of)
        service = line.signal.subject if line.signal.kind == "service" else ""
        if again or decision.gate in NO_NEWS:
            continue
        if decision.action in ACTIONS:
            found.append(Measure("SignalsActed", service=service))
        elif decision.gate:
            found.append(Measure("SignalsRefused", service=service))
    return found


def _notification_key(line: LoggedSignal) -> str:
    """What counts as the same message: one subject, one severity, one reason; what only tells, by its name as well."""
    signal, decision = line.signal, line.decision
    told = f"|{signal.name}" if signal.do in PASSIVE and not decision.gate else ""
    return f"{signal.about}|{signal.severity}|{decision.gate or decision.action}{told}"


def _notified_before(line: LoggedSignal, seen: dict[str, KnownAlert]) -> bool:
    """Somebody knows of this firing already. P0 and actions are told again."""
    before = seen.get(line.signal.alert.fingerprint)
    same = before is not None and before.notified and before.as_of == line.signal.alert.as_of
    return same and line.signal.severity != "P0" and line.decision.action == "none"


def _known(line: LoggedSignal, seen: dict[str, KnownAlert], notified: set[str]) -> KnownAlert:
    alert = line.signal.alert
    before = seen.get(alert.fingerprint)
    return KnownAlert(
        fingerprint=alert.fingerprint,
        status=alert.status,
        as_of=alert.as_of,
        started_at=alert.started_at,
        settled=not line.decision.gate,
        notified=alert.fingerprint in notified
        or (before is not None and before.notified and alert.status == "firing"),
    )
