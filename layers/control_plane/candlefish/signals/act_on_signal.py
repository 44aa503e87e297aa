"""Doing what was decided about a signal, if it is still to be done.

Safe to repeat: actions are named by the response and its attempt, holds by their alert.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from candlefish.errors import NothingToRollBack, Quarantined, StaleGeneration
from candlefish.service.model import Hold
from candlefish.service.record import ServiceRecord, add_hold, begin_rollback
from candlefish.signals.payloads import ActionResult, SignalResponse, actor_of, rollback_name, rollback_of
from candlefish.signals.ports import SignalPorts


def act_on_signal(response: SignalResponse, *, ports: SignalPorts) -> ActionResult:
    """Do what was decided, unless automation was switched off since."""
    now = ports.now()
    if response.action == "rollback":
        return _roll_back(response, ports, now)
    if off := ports.switchboard.off():
        return ActionResult(now, True, off)
    match response.action:
        case "failover":
            return _fail_over(response, ports, now)
        case "hold":
            return _hold(response, ports, now)
        case _:
            assert_never(response.action)


def _roll_back(response: SignalResponse, ports: SignalPorts, now: float) -> ActionResult:
    request = rollback_of(response)
    record = ports.records.get(response.subject)
    begun = record.rollback is not None and record.rollback.id == response.id
    # What has begun is finished, whoever switched automation off since.
    if not begun and (off := ports.switchboard.off()):
        return ActionResult(now, True, off)
    if record.rollback and record.rollback.id != response.id:
        return ActionResult(
            now, True, f"{response.subject} is being rolled back already ({record.rollback.reason})"
        )
    if not record.rollback:
        try:
            begin_rollback(record, request, execution="", now=now, lease=0)
        except (NothingToRollBack, Quarantined) as error:
            return ActionResult(now, True, str(error))
    payload = msgspec.to_builtins(request)
    arn = ports.executions.start("rollback", rollback_name(response), payload)
    return ActionResult(now, False, f"rollback of release {response.release} was started", arn)


def _hold(response: SignalResponse, ports: SignalPorts, now: float) -> ActionResult:
    signal = response.signal
    entry = Hold(
        signal.hold_key,
        f"{signal.name}: {signal.alert.summary}"[:500],
        now,
        actor_of(response),
        trial="wanted" if response.trial else "",
    )
    known = ports.log.seen([signal.alert.fingerprint]).get(signal.alert.fingerprint)
    if known and known.status == "resolved" and known.as_of >= signal.alert.as_of:
        return ActionResult(now, True, f"{signal.name} ended before the release could be held")

    def change(record: ServiceRecord) -> ServiceRecord:
        holder = record.holder
        if holder is None or record.rollback or holder.release != response.release:
            raise StaleGeneration(
                f"release {response.release} is not under way on {record.name} any more: nothing to hold"
            )
        return add_hold(record, entry)

    try:
        ports.records.update(response.subject, change)
    except StaleGeneration as error:
        return ActionResult(now, True, str(error))
    until = " until it ends, or an experiment shows that it is not the canary" if response.trial else ""
    return ActionResult(now, False, f"release {response.release} is held{until}")


def _fail_over(response: SignalResponse, ports: SignalPorts, now: float) -> ActionResult:
    signal = response.signal
    arn = ports.executions.start(
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
    return ActionResult(now, False, f"failover of {response.kind} {response.subject} was started", arn)
