"""Whether an environment's capacity needs anything done now: one pure decision, with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from candlefish.capacity.assess import SleepDrift, unfinished
from candlefish.capacity.calendar import Desired
from candlefish.capacity.model import CapacityRecord, RunningTrain
from candlefish.service.record import AllRecords

Action = Literal["none", "sleep", "wake", "go_on", "postpone"]


class CapacityDecision(msgspec.Struct, frozen=True):
    """What to do, why, and what the reason rests on.

    - `sleep`, `wake`: turn the goal and start the machine.
    - `go_on`: the goal stands, and needs another run of the machine.
    - `postpone`: a release keeps the environment awake for now.
    """

    action: Action
    reason: str
    evidence: dict[str, Any] = {}
    # Databases that AWS started by itself, to be stopped again.
    again: tuple[str, ...] = ()


def decide_capacity(
    record: CapacityRecord,
    desired: Desired,
    *,
    releases: Sequence[str],
    running: bool,
    drift: SleepDrift | None,
    now: float,
) -> CapacityDecision:
    """Compare what should be with what is recorded and seen.

    Parameters
    ----------
    releases
        Why each service that is being released, rolled back or watched must stay awake.
    running
        Whether the newest execution for the goal is still running.
    drift
        What was seen of a sleeping environment; None when it is not asleep.
    """
    evidence: dict[str, Any] = {"desired": desired.state, "goal": record.goal, "phase": record.phase}
    if desired.frozen and record.phase == record.goal:
        return CapacityDecision("none", desired.frozen, evidence)
    if desired.frozen:  # Half-way is the worst place to stop: what has begun is finished.
        desired = msgspec.structs.replace(desired, state=record.goal)
    if desired.state == "asleep" and record.saved is None and releases:
        return CapacityDecision("postpone", f"awake for now: {'; '.join(releases)}", evidence)
    if record.goal != desired.state:
        return CapacityDecision("sleep" if desired.state == "asleep" else "wake", desired.reason, evidence)
    if record.phase != record.goal:
        if running:
            return CapacityDecision("none", f"{_doing(record)} is under way", evidence)
        why = "has not finished" if record.runs else "was not started"
        return CapacityDecision("go_on", f"{_doing(record)} {why}", evidence)
    if record.phase == "awake" and record.queue and not running:
        waiting = ", ".join(each.release for each in record.queue)
        return CapacityDecision("go_on", f"releases wait to be started: {waiting}", evidence)
    if drift and drift.again:
        reason = f"AWS starts databases after seven days: {', '.join(drift.again)}"
        return CapacityDecision("go_on", reason, evidence, drift.again)
    if record.phase == "asleep" and (left := unfinished(record, now)):
        return CapacityDecision("go_on", f"trying once more to put to sleep: {', '.join(left)}", evidence)
    return CapacityDecision("none", f"{record.phase}, as it should be: {desired.reason}", evidence)


def _doing(record: CapacityRecord) -> str:
    return "going to sleep" if record.goal == "asleep" else "waking"


def under_way(records: AllRecords, now: float, trains: Sequence[RunningTrain] = ()) -> list[str]:
    """Why the environment must stay awake: running trains, and what is released, rolled back or watched.

    Of a record that cannot be read nobody knows, so it counts.
    """
    reasons = [f"train {each.train} is under way" for each in trains]
    reasons += [f"{each.service} may be released: {each.why}" for each in records.unreadable]
    for record in records:
        if record.rollback:
            reasons.append(f"{record.service} is being rolled back")
        elif record.holder:
            reasons.append(f"release {record.holder.release} of {record.service} is under way")
        elif record.window_until > now and any(
            slot.state == "previous" and slot.running for slot in record.slots.values()
        ):
            reasons.append(f"the previous version of {record.service} is kept at capacity for a rollback")
    return reasons
