"""Carrying out a response: act, look whether it shows in the world, once more if not, then a person.

The steps of `statemachines/respond.asl.yaml`. Each may be repeated: actions are named by the
response and its attempt, holds by their alert.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.errors import NothingToRollBack, StaleGeneration
from candlefish.release.restore import readable
from candlefish.service.model import Hold, RollbackRequest
from candlefish.service.record import ServiceRecord, add_hold, begin_rollback, lift_hold
from candlefish.signals.handle_signal import SignalPorts
from candlefish.signals.model import HOLD_PREFIX, LoggedSignal, SignalDecision, SignalResponse
from candlefish.traffic.ports import Rules

# Seconds between two looks.
POLL = 1
FAILOVER_POLL = 5


class Acted(msgspec.Struct, frozen=True):
    """What was done about a response. `moot`: by now there is nothing to be done, and why."""

    at: float
    moot: bool
    reason: str
    execution: str = ""


class ResponseVerdict(msgspec.Struct, frozen=True):
    """Whether the action shows in the world."""

    state: Literal["waiting", "done", "failed"]
    reason: str
    poll: int = POLL


class VerifyInput(msgspec.Struct, frozen=True):
    """A response and what was done about it."""

    response: SignalResponse
    acted: Acted


def act_on_signal(response: SignalResponse, *, desk: SignalPorts) -> Acted:
    """Do what was decided, if it is still to be done."""
    now = desk.now()
    off = desk.guards.get().off
    why = f"automation was switched off by {off.by}: {off.reason}" if off else desk.switchboard.off()
    if why:
        return Acted(now, True, why)
    if response.action == "failover":
        return _fail_over(response, desk, now)
    if response.action == "hold":
        return _hold(response, desk, now)
    return _roll_back(response, desk, now)


def _roll_back(response: SignalResponse, desk: SignalPorts, now: float) -> Acted:
    request = RollbackRequest(
        id=response.id,
        environment=response.environment,
        service=response.subject,
        reason=f"{response.reason}: {response.signal.alert.summary}"[:1000],
        by=by(response),
        release=response.release,
    )
    record = desk.records.get(response.subject)
    if record.rollback and record.rollback.id != response.id:
        return Acted(now, True, f"{response.subject} is being rolled back already ({record.rollback.reason})")
    if not record.rollback:
        try:
            begin_rollback(record, request, execution="", now=now, lease=0)
        except NothingToRollBack as error:
            return Acted(now, True, str(error))
    payload = msgspec.to_builtins(request)
    arn = desk.executions.start("rollback", f"{response.id}-{response.attempt}", payload)
    return Acted(now, False, f"rollback of release {response.release} was started", arn)


def _hold(response: SignalResponse, desk: SignalPorts, now: float) -> Acted:
    signal = response.signal
    entry = Hold(signal.hold_key, f"{signal.name}: {signal.alert.summary}"[:500], now, by(response))
    known = desk.log.seen([signal.alert.fingerprint]).get(signal.alert.fingerprint)
    if known and known.status == "resolved" and known.as_of >= signal.alert.as_of:
        return Acted(now, True, f"{signal.name} ended before the release could be held")

    def change(record: ServiceRecord) -> ServiceRecord:
        holder = record.holder
        if holder is None or record.rollback or holder.release != response.release:
            raise StaleGeneration(
                f"release {response.release} is not under way on {record.name} any more: nothing to hold"
            )
        return add_hold(record, entry)

    try:
        desk.records.update(response.subject, change)
    except StaleGeneration as error:
        return Acted(now, True, str(error))
    return Acted(now, False, f"release {response.release} is held")


def _fail_over(response: SignalResponse, desk: SignalPorts, now: float) -> Acted:
    signal = response.signal
    arn = desk.executions.start(
        "failover",
        f"{response.id}-{response.attempt}",
        {
            "target": f"{response.kind}/{response.subject}",
            "environment": response.environment,
            "requested_by": f"signal:{signal.alert.fingerprint}",
            "reason": f"{response.reason}: {signal.alert.summary}"[:1000],
            "failing_since": signal.alert.started_at,
        },
    )
    return Acted(now, False, f"failover of {response.kind} {response.subject} was started", arn)


def verify_response(
    response: SignalResponse, acted: Acted, *, desk: SignalPorts, rules: Rules
) -> ResponseVerdict:
    """Look whether the action shows in the world; late is failed."""
    within = float(desk.catalog.responses.guard.verify_within)
    late = desk.now() - acted.at > within
    if response.action == "failover":
        return _verify_failover(acted, late, desk)
    record = desk.records.get(response.subject)
    if response.action == "hold":
        held = any(h.key == response.signal.hold_key for h in record.holds)
        ended = record.holder is None or record.holder.release != response.release
        if held or ended:
            return ResponseVerdict(
                "done", f"release {response.release} " + ("is held" if held else "is over")
            )
        return ResponseVerdict(
            "failed", f"the hold on release {response.release} is gone; somebody lifted it"
        )
    status = desk.journal.read(response.release).status
    seen = rules.read(record.rule)
    if status in ("rolling_back", "rolled_back") and seen == record.weights_by_target_group():
        return ResponseVerdict("done", f"traffic of {response.subject} is at {dict(record.desired)}")
    execution = desk.executions.status(acted.execution).status
    if execution not in ("RUNNING", "SUCCEEDED"):
        return ResponseVerdict("failed", f"the rollback ended as {execution} ({acted.execution})")
    reason = f"release {response.release} is {status}, the rule has {sorted(seen.values())}"
    return ResponseVerdict(
        "failed" if late else "waiting", f"{reason} {within:.0f} s after the start" if late else reason
    )


def _verify_failover(acted: Acted, late: bool, desk: SignalPorts) -> ResponseVerdict:
    # A refusal shows at once. What runs reports its own outcome: it may take an hour, or ask a person.
    execution = desk.executions.status(acted.execution).status
    if execution in ("FAILED", "ABORTED", "TIMED_OUT"):
        return ResponseVerdict("failed", f"the failover ended as {execution} ({acted.execution})")
    if execution == "SUCCEEDED" or late:
        return ResponseVerdict(
            "done", f"the failover is {execution.lower()}; follow it with: candlefish recovery report"
        )
    return ResponseVerdict("waiting", f"the failover is {execution.lower()}", FAILOVER_POLL)


class Ending(msgspec.Struct, frozen=True):
    """How a response ended."""

    outcome: Literal["done", "moot", "failed"]
    reason: str


class ResponseEnd(msgspec.Struct, frozen=True):
    """A response and how it ended."""

    response: SignalResponse
    ending: Ending


def close_response(response: SignalResponse, ending: Ending, *, desk: SignalPorts) -> LoggedSignal:
    """Write down how a response ended and tell people. A failed one is theirs now."""
    now = desk.now()
    signal = response.signal
    # What Step Functions says of a failed function is JSON with a trace.
    reason = readable(ending.reason)
    line = LoggedSignal(
        now,
        signal,
        SignalDecision(response.action, reason, tell=True, release=response.release),
        response=response.id,
        outcome=ending.outcome,
    )
    desk.log.append([line], ())
    detail: dict[str, Any] = {
        "environment": response.environment,
        "about": signal.about,
        "subject": response.subject,
        "action": response.action,
        "outcome": ending.outcome,
        "reason": reason,
        "release": response.release,
        "response": response.id,
        "attempts": response.attempt,
        "severity": signal.severity,
        "name": signal.name,
        "owner": signal.owner,
        "runbook": signal.runbook,
        "link": signal.alert.link,
        "started_at": signal.alert.started_at,
        "received_at": signal.received_at,
        "decided_at": response.decided_at,
        "at": now,
    }
    desk.events.publish("signal.responded", detail)
    return line


def settle_hold(response: SignalResponse, *, desk: SignalPorts) -> list[str]:
    """After the cooldown: lift the holds whose alerts have ended; the keys that were lifted.

    What still fires, or lost its data, stays held until it ends or a person says otherwise.
    """
    if desk.guards.get().off or desk.switchboard.off():
        return []
    record = desk.records.get(response.subject)
    keys = {h.key.removeprefix(HOLD_PREFIX): h.key for h in record.holds if h.key.startswith(HOLD_PREFIX)}
    known = desk.log.seen(list(keys))
    ended = [
        key
        for fingerprint, key in keys.items()
        if fingerprint in known and known[fingerprint].status == "resolved"
    ]
    if not ended:
        return []

    def change(current: ServiceRecord) -> ServiceRecord:
        for key in ended:
            current = lift_hold(current, key)
        return current

    left = desk.records.update(response.subject, change)
    desk.events.publish(
        "signal.lifted",
        {
            "environment": response.environment,
            "subject": response.subject,
            "about": response.signal.about,
            "release": response.release,
            "reason": f"{response.signal.name} ended and stayed quiet",
            "still_held": len(left.holds),
            "at": desk.now(),
        },
    )
    return ended


def by(response: SignalResponse) -> str:
    """Who acts, as records and timelines name it."""
    return f"signal:{response.signal.rule or response.signal.name}"
