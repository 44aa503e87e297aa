"""The guard's decision: a pure function of a signal, the facts, the limits and the time.

The gates are asked in one order (docs/signals.md), and the first no stands. Every decision has its
reason. What lets an action through here still has to be claimed (`record.claim`), which is what
makes "at most one" true when several decide at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from candlefish.catalog.model import GuardPolicy
from candlefish.errors import Permanent
from candlefish.release.model import MOST_EXPERIMENTS, Release
from candlefish.service.model import Rollback, RollbackRequest
from candlefish.service.record import ServiceRecord, begin_rollback
from candlefish.signals import record as guard
from candlefish.signals.model import HOLD_PREFIX, PASSIVE, Delivery, Gate, KnownAlert, Signal, SignalDecision
from candlefish.signals.own_alarms import OWN_ALARM_RULE
from candlefish.signals.payloads import response_id
from candlefish.signals.record import GuardRecord


class SignalFacts(msgspec.Struct, frozen=True):
    """The world as far as a decision about one signal needs it.

    `storm` says why the delivery is one (empty: it is none). `release` is the release that runs on
    the signal's service or was promoted last; None when there is none, it could not be read, or no hold asks for it.
    """

    environment: str
    guard: GuardRecord
    # Why automation is off; empty while it is on.
    off: str = ""
    # Why the environment sleeps; empty while it is awake.
    asleep: str = ""
    storm: str = ""
    replay: str = ""
    seen: KnownAlert | None = None
    record: ServiceRecord | None = None
    release: Release | None = None
    # Whether the release may take its canary out of the traffic to see whose fault a trouble is.
    experiments: bool = False


def decide_signal(signal: Signal, facts: SignalFacts, *, policy: GuardPolicy, now: float) -> SignalDecision:
    """What the signal leads to now, and why."""
    if signal.alert.status != "firing":
        return _ended(signal, facts, policy, now)
    for gate in GATES:
        decision = gate(signal, facts, policy, now)
        if decision:
            return decision
    raise AssertionError("the last gate always decides")


def continued(signal: Signal, seen: KnownAlert | None) -> Signal:
    """The signal, begun when its alert did: what fires again after a time without data never ended.

    Unknown is no end. Taken for a new one, an alarm that is older than a release would take that release back, which
    may be its cure.
    """
    alert = signal.alert
    if alert.status != "firing" or seen is None or seen.started_at >= alert.started_at:
        return signal
    lost = seen.status == "unknown" and seen.started_at < seen.as_of <= alert.as_of
    heard = seen.status == "firing" and (alert.resumed or seen.as_of == alert.as_of)
    if not (lost or heard):
        return signal
    return msgspec.structs.replace(signal, alert=msgspec.structs.replace(alert, started_at=seen.started_at))


def storm_of(delivery: Delivery, signals: Sequence[Signal], *, policy: GuardPolicy, environment: str) -> str:
    """Why a delivery is a storm; empty when it is none."""
    if delivery.truncated:
        return f"a storm: the source left out {delivery.truncated} of {delivery.total} alerts"
    if delivery.total > policy.storm_alerts:
        return f"a storm: {delivery.total} alerts at once, the limit is {policy.storm_alerts}"
    subjects = {
        s.about
        for s in signals
        if s.do not in PASSIVE and s.alert.status == "firing" and s.environment == environment
    }
    if len(subjects) > policy.storm_subjects:
        return (
            f"a storm: {len(subjects)} subjects at once ({', '.join(sorted(subjects))}), "
            f"the limit is {policy.storm_subjects}, so the cause is probably something they share"
        )
    return ""


def asks_switch(signal: Signal, record: ServiceRecord | None) -> bool:
    """Whether the decision depends on the switch: a firing that its rule acts upon, or the end of one that holds a release.

    Most of what alarms say is that all is well, and in a storm the switch is asked no more than it must be.
    """
    if signal.alert.status == "firing":
        return signal.do not in PASSIVE
    return record is not None and record.held_for(signal.hold_key)


def _no(gate: Gate, reason: str, *, notify: bool = False) -> SignalDecision:
    return SignalDecision("none", reason, gate=gate, notify=notify)


# --- the gates, in their order ------------------------------------------------------------


def _switch(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    if signal.do in PASSIVE:
        return None
    return _no("switch", facts.off, notify=True) if facts.off else None


def _scope(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    if signal.environment == facts.environment:
        return None
    if signal.environment:
        return _no(
            "scope",
            f"this is about {signal.environment}, this control plane acts in {facts.environment} only",
        )
    if signal.do in PASSIVE:
        return None
    return _no(
        "scope",
        "the alert names no environment (label `environment`, `namespace` or `cluster`), "
        "so nothing is done without a person; add it to Prometheus' external_labels",
        notify=True,
    )


def _stale(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    if facts.replay:
        return _no("stale", f"this event was replayed from an archive ({facts.replay})")
    age = now - signal.observed_at
    if age > policy.stale_after:
        return _no(
            "stale",
            f"this was said {age:.0f} s ago, the limit is {policy.stale_after}: the world may have changed",
            notify=signal.severity == "P0",
        )
    return None


def _muted(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    if facts.asleep:
        return _no("muted", f"{facts.asleep}: what is asleep is supposed to be down")
    mute = guard.mute_of(facts.guard.mutes, signal.about, now)
    if mute is None:
        return None
    return _no("muted", f"{mute.by} muted {mute.about} for another {mute.until - now:.0f} s: {mute.reason}")


def _order(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    seen = facts.seen
    if seen is None or seen.as_of < signal.alert.as_of:
        return None
    if seen.as_of > signal.alert.as_of:
        return _no("order", f"newer news of this alert came before: {seen.status} as of {seen.as_of:.0f}")
    if seen.status == signal.alert.status and seen.settled:
        return _no("duplicate", "the same firing was dealt with before")
    return None


def _storm(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    return _no("storm", f"{facts.storm}: a person decides", notify=True) if facts.storm else None


def _limits(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision | None:
    if signal.do in PASSIVE or guard.own_claim(facts.guard, signal, signal.do, now):
        return None
    if signal.do == "hold" and _held_by_signal(facts.record):
        # Bookkeeping, not another action: the release stays held until every reason has ended.
        return None
    no = guard.refusal_of_claim(facts.guard, signal, signal.do, policy=policy, now=now)
    # Right after an action its alert goes on for a while; that is no news for anybody.
    return _no(no.gate, no.reason, notify=no.gate != "cooldown") if no else None


def _world(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision:
    return PRECONDITIONS[signal.do](signal, facts, now)


GATES: tuple[Callable[[Signal, SignalFacts, GuardPolicy, float], SignalDecision | None], ...] = (
    _switch,
    _scope,
    _stale,
    _muted,
    _order,
    _storm,
    _limits,
    _world,
)


# --- what the world must look like --------------------------------------------------------


def _may_roll_back(signal: Signal, facts: SignalFacts, now: float) -> SignalDecision:
    record = facts.record
    if record is None:
        return _no(
            "precondition", f"{signal.subject} is not onboarded: nothing can be rolled back", notify=True
        )
    if record.rollback and (begun := _begun_before(signal, facts, record.rollback, now)):
        return begun
    if record.rollback:
        return _no(
            "precondition", f"{signal.subject} is being rolled back already ({record.rollback.reason})"
        )
    trial = RollbackRequest(
        id="trial", environment=record.environment, service=record.service, reason=signal.name, by="trial"
    )
    try:
        after = begin_rollback(record, trial, execution="", now=now, lease=0)
    except Permanent as error:
        return _no("precondition", f"{error}; a person has to look", notify=True)
    assert after.rollback
    losing, subject = after.rollback.slot, after.rollback.release
    if signal.slot and signal.slot != losing:
        return _no(
            "precondition",
            f"the alert is about slot {signal.slot}, release {subject} is in slot {losing}: "
            "taking it back would not help",
            notify=True,
        )
    # A generation begins when a release takes its service, which nothing had changed before.
    if signal.alert.started_at < record.generation_at:
        return _no(
            "precondition",
            f"it began {record.generation_at - signal.alert.started_at:.0f} s before release {subject} "
            "started, which may be the cure: taking it back would not help",
            notify=True,
        )
    return SignalDecision(
        "rollback",
        f"{signal.severity} {signal.name} on {signal.subject} began while release {subject} "
        + ("was under way" if record.holder else "was inside its rollback window"),
        notify=True,
        release=subject,
        evidence={"slot": losing, "back_to": after.stable or "", "weights": dict(record.desired)},
    )


def _begun_before(
    signal: Signal, facts: SignalFacts, rollback: Rollback, now: float
) -> SignalDecision | None:
    """To go on with the rollback that this very firing began: who began it died before the rest was started."""
    mine = guard.own_claim(facts.guard, signal, "rollback", now)
    if mine is None or rollback.id != response_id(signal.about, "rollback", mine.owner, mine.at):
        return None
    return SignalDecision("rollback", rollback.reason, notify=True, release=rollback.release)


def _may_hold(signal: Signal, facts: SignalFacts, now: float) -> SignalDecision:
    record = facts.record
    if record is None or record.holder is None or record.rollback:
        why = "is being rolled back" if record and record.rollback else "has no release under way"
        return _no(
            "precondition",
            f"{signal.subject} {why}: nothing to hold",
            notify=not (record and record.rollback),
        )
    if record.held_for(signal.hold_key):
        return _no("duplicate", f"the release of {signal.subject} is held for this alert already")
    trial = _may_be_answered(facts, record)
    if _held_by_signal(record):
        return SignalDecision(
            "join",
            f"the release of {signal.subject} is held already and now for {signal.name} as well",
            release=record.holder.release,
            trial=trial,
        )
    then = (
        "; where both versions have it, an experiment shows whether it is the canary's doing" if trial else ""
    )
    return SignalDecision(
        "hold",
        f"{signal.severity} {signal.name} on {signal.subject} "
        f"while release {record.holder.release} is under way{then}",
        notify=True,
        release=record.holder.release,
        trial=trial,
    )


def _may_be_answered(facts: SignalFacts, record: ServiceRecord) -> bool:
    """Whether an experiment may answer a hold: one that can be made, or one that is being made."""
    release = facts.release
    if not facts.experiments or release is None or release.slot is None or release.status != "running":
        return False
    if any(not hold.trial for hold in record.stops):
        return False
    weight = record.desired[release.slot]
    return release.experiments > 0 if weight == 0 else weight < 100 and release.experiments < MOST_EXPERIMENTS


def _held_by_signal(record: ServiceRecord | None) -> bool:
    return record is not None and any(h.key.startswith(HOLD_PREFIX) for h in record.stops)


def _may_fail_over(signal: Signal, facts: SignalFacts, now: float) -> SignalDecision:
    # Whether the other side can take over is for the failover plan to find out; it refuses with a reason.
    return SignalDecision(
        "failover",
        f"{signal.severity} {signal.name}: {signal.kind} {signal.subject} is unavailable",
        notify=True,
    )


def _notify(signal: Signal, facts: SignalFacts, now: float) -> SignalDecision:
    return SignalDecision(
        "none", f"{signal.severity} {signal.name}: {signal.alert.summary or 'firing'}", notify=True
    )


def _nothing(signal: Signal, facts: SignalFacts, now: float) -> SignalDecision:
    if signal.rule == OWN_ALARM_RULE:
        return SignalDecision("none", "it goes straight to people, and nothing acts on it by itself")
    return SignalDecision("none", f"rule {signal.rule or 'actions'} says that nothing is to be done")


PRECONDITIONS: dict[str, Callable[[Signal, SignalFacts, float], SignalDecision]] = {
    "rollback": _may_roll_back,
    "hold": _may_hold,
    "failover": _may_fail_over,
    "notify": _notify,
    "nothing": _nothing,
}


# --- what has ended -----------------------------------------------------------------------


def _ended(signal: Signal, facts: SignalFacts, policy: GuardPolicy, now: float) -> SignalDecision:
    """Resolved lifts this alert's hold. Nothing is rolled forward, and unknown lifts nothing."""
    seen = facts.seen
    if signal.environment and signal.environment != facts.environment:
        return _no(
            "scope",
            f"this is about {signal.environment}, this control plane acts in {facts.environment} only",
        )
    if facts.replay:
        return _no("stale", f"this event was replayed from an archive ({facts.replay})")
    if seen and seen.as_of > signal.alert.as_of:
        return _no("order", f"newer news of this alert came before: {seen.status} as of {seen.as_of:.0f}")
    if signal.alert.status == "unknown":
        return SignalDecision(
            "none",
            f"{signal.name} has no data any more; that is not the same as resolved, nothing is lifted",
            notify=seen is not None and seen.status == "firing",
        )
    if seen and seen.status == "resolved" and seen.as_of == signal.alert.as_of and seen.settled:
        return _no("duplicate", "its end was dealt with before")
    notified = seen is not None and seen.notified
    if facts.record is None or not facts.record.held_for(signal.hold_key):
        # The first word of an alarm that was just made is that it is well.
        says = "ended" if seen is not None and seen.status == "firing" else "does not fire"
        return SignalDecision("none", f"{signal.name} {says}; nothing was held for it", notify=notified)
    if facts.off:
        return _no(
            "switch", f"{signal.name} ended; automation is off, so its hold stays until a person lifts it"
        )
    barred = guard.cooldown_of(facts.guard, signal.about, "hold", now)
    if barred:
        return _no(
            "cooldown",
            f"{signal.name} ended; its hold stays for another {barred.until - now:.0f} s in case it flaps",
            notify=notified,
        )
    return SignalDecision("lift", f"{signal.name} ended: its hold is lifted", notify=True)
