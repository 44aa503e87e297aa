"""Every five minutes, and after every command: is the environment what it should be now?"""

from __future__ import annotations

from typing import assert_never

import msgspec

from candlefish.automation import why_off
from candlefish.capacity.admission import running_trains
from candlefish.capacity.assess import SleepDrift, assess_asleep
from candlefish.capacity.calendar import desired_state, timetable
from candlefish.capacity.decide import CapacityDecision, decide_capacity, under_way
from candlefish.capacity.model import CapacityRecord, State
from candlefish.capacity.never_production import require_no_production
from candlefish.capacity.news import capacity_event, changed_event
from candlefish.capacity.ports import CapacityStore, CapacityWorld
from candlefish.capacity.record import (
    add_notes,
    begin_run,
    end_postponement,
    postpone,
    set_execution,
    turn_goal,
)
from candlefish.catalog.model import Catalog
from candlefish.errors import StaleGeneration
from candlefish.ports import EventPublisher, Executions, Now, Switchboard
from candlefish.service.ports import ServiceRecords

MACHINE = "capacity"
BY_CALENDAR = "calendar"


class CapacityRound(msgspec.Struct, frozen=True):
    """What may be asked for beside the round itself; schedules and events of the bus carry nothing we need."""

    dry_run: bool = False


def reconcile_capacity(
    environment: str,
    *,
    catalog: Catalog,
    store: CapacityStore,
    world: CapacityWorld,
    records: ServiceRecords,
    executions: Executions,
    events: EventPublisher,
    switchboard: Switchboard,
    now: Now,
    dry_run: bool = False,
) -> CapacityDecision:
    """Look once; start the machine only on a difference. When it was asked for, and how often, is no matter.

    With `dry_run` nothing is changed and the decision says what would have been done.

    Raises
    ------
    NotAllowed
        The environment is production.
    """
    env = require_no_production(catalog, environment)
    at = now()
    record = store.get()
    # What people asked for is about a schedule: without one the environment is awake, or is woken.
    overrides = record.overrides if env.schedule else ()
    desired = desired_state(timetable(env, catalog.calendars), overrides, at)
    if not desired.overridden and (off := why_off(switchboard)):
        # What a person asked for goes on, and what has begun is finished.
        desired = msgspec.structs.replace(desired, frozen=off)
    drift = None
    # Only what shall go on sleeping is compared: a morning must not wait for a cluster that is slow to answer.
    if desired.state == record.goal == record.phase == "asleep":
        drift = assess_asleep(record, world.observe().things, at)
        if drift.notes and not dry_run:
            record = _report(record, drift, store=store, events=events, at=at)
    trains = running_trains(record, executions=executions, store=None if dry_run else store)
    wants_down = desired.state == "asleep" and record.saved is None
    decision = decide_capacity(
        record,
        desired,
        releases=under_way(records.all(), at, trains) if wants_down else (),
        running=bool(record.execution) and executions.status(record.execution).status == "RUNNING",
        drift=drift,
        now=at,
    )
    if not dry_run:
        _carry_out(record, decision, store=store, executions=executions, events=events, at=at)
    return decision


def _carry_out(
    record: CapacityRecord,
    decision: CapacityDecision,
    *,
    store: CapacityStore,
    executions: Executions,
    events: EventPublisher,
    at: float,
) -> None:
    match decision.action:
        case "none":
            if record.postponed_since:
                store.update(end_postponement)
        case "postpone":
            if not record.postponed_since:
                store.update(lambda r: postpone(r, at))
                events.publish(*capacity_event("postponed", record.environment, decision.reason, at))
        case "sleep" | "wake" | "go_on":
            _start_run(record, decision, store=store, executions=executions, events=events, at=at)
        case _:
            assert_never(decision.action)


def _start_run(
    record: CapacityRecord,
    decision: CapacityDecision,
    *,
    store: CapacityStore,
    executions: Executions,
    events: EventPublisher,
    at: float,
) -> None:
    """Record the goal, then start a run of the machine for it. Of several that try, one starts it."""
    seen = record.generation, record.runs
    goals: dict[str, State] = {"sleep": "asleep", "wake": "awake"}
    goal = goals.get(decision.action, record.goal)

    def turn(current: CapacityRecord) -> CapacityRecord:
        if (current.generation, current.runs) != seen:
            raise StaleGeneration(
                f"somebody else turned the capacity of {record.environment} first; nothing was changed"
            )
        turned = turn_goal(current, goal, reason=decision.reason, by=BY_CALENDAR, now=at)
        return begin_run(turned, generation=turned.generation, now=at, again=decision.again)

    try:
        taken = store.update(turn)
    except StaleGeneration:
        return
    name = f"{record.environment}-{taken.generation}-{taken.runs}"
    arn = executions.start(MACHINE, name, {"environment": record.environment})
    store.update(
        lambda r: (
            set_execution(r, generation=taken.generation, execution=arn)
            if (r.generation, r.runs) == (taken.generation, taken.runs)
            else r
        )
    )
    if decision.action != "go_on":
        kind = "sleeping" if taken.goal == "asleep" else "waking"
        events.publish(*capacity_event(kind, record.environment, decision.reason, at, execution=arn))


def _report(
    record: CapacityRecord, drift: SleepDrift, *, store: CapacityStore, events: EventPublisher, at: float
) -> CapacityRecord:
    """Write down and tell what somebody changed while the environment sleeps; each change once.

    Record and world are not read at one moment: who was woken in between has changed all of it, and nobody else has.
    """
    after = store.update(
        lambda r: (
            add_notes(r, drift.notes, generation=r.generation) if r.generation == record.generation else r
        )
    )
    if after.generation == record.generation:
        events.publish(*changed_event(record.environment, drift.notes, at))
    return after
