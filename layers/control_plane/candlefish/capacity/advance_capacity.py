"""One step of the capacity machine: observe, decide, act, and look again.

The machine calls this until it says it is done. Nothing of what the machine carries matters: the
goal is read from the record each time, so a step that comes late, twice or for an older goal does
what the newest goal needs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.capacity.admission import next_name, running_trains
from candlefish.capacity.assess import (
    STRAGGLERS,
    CapacityAct,
    CapacityAssessment,
    all_restored,
    assess_going_down,
    assess_waking,
    originals,
)
from candlefish.capacity.decide import under_way
from candlefish.capacity.model import UNFINISHED, CapacityRecord, CapacitySight, Note
from candlefish.capacity.never_production import require_no_production
from candlefish.capacity.news import abridged, capacity_event, changed_event
from candlefish.capacity.ports import CapacityStore, CapacityWorld
from candlefish.capacity.record import (
    add_notes,
    await_things,
    count_tries,
    dequeue,
    fall_asleep,
    save_originals,
    wake_up,
)
from candlefish.catalog.model import Catalog
from candlefish.errors import Permanent, Retryable, StaleGeneration, Throttled
from candlefish.ports import EventPublisher, Executions, Now, Requesters
from candlefish.service.model import Hold
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import add_hold, lift_hold

HOLD = "capacity"
# Seconds until the next look: after acting, and at most while waiting.
SOON, LATER = 5, 20


class CapacityProgress(msgspec.Struct, frozen=True):
    """What the machine does next: look `again` after `wait` seconds, or end.

    `incomplete` ends the machine as failed; the reconciler starts another run.
    """

    status: Literal["again", "done", "incomplete"]
    reason: str
    wait: int = 0
    goal: str = ""
    phase: str = ""

    @property
    def look_again(self) -> float | None:
        return self.wait if self.status == "again" else None


class CapacityStepInput(msgspec.Struct, frozen=True):
    """Whose capacity the machine moves."""

    environment: str


def advance_capacity(
    environment: str,
    *,
    catalog: Catalog,
    store: CapacityStore,
    world: CapacityWorld,
    records: ServiceRecords,
    requesters: Requesters,
    executions: Executions,
    events: EventPublisher,
    now: Now,
    stragglers: float = STRAGGLERS,
) -> CapacityProgress:
    """Bring the environment one step nearer to its goal.

    `stragglers` is after how many seconds whoever acted for an older goal has certainly ended.

    Raises
    ------
    NotAllowed
        The environment is production.
    Throttled, Unavailable
        The world could not be seen; nothing was done.
    """
    require_no_production(catalog, environment)
    record = store.get()
    if record.phase == record.goal:
        if record.phase == "awake":
            start_queued(record, store=store, requesters=requesters, executions=executions)
        return _progress(record, "done", f"{environment} is {record.phase}")
    at = now()
    sight = world.observe()
    try:
        if record.saved is None:
            trains = running_trains(record, executions=executions, store=store)
            if releases := under_way(records.all(), at, trains):
                return _progress(record, "done", f"awake for now: {'; '.join(releases)}")
            record = _save(record, sight, store=store, at=at)
        if record.goal == "asleep":
            _hold_releases(records, at)
        look = (assess_going_down if record.goal == "asleep" else assess_waking)(record, sight.things, at)
        if not look.done or look.notes:
            record = _carry_out(record, look, store=store, world=world, events=events, at=at)
        if look.acts:
            return _progress(record, "again", f"setting {abridged(act.key for act in look.acts)}", SOON)
        if look.waiting:
            waits = (f"{key}: {what}" for key, what in look.waiting.items())
            return _progress(
                record, "again", f"waiting for {abridged(waits)}", _patience(at - record.goal_at)
            )
        return _finish(record, sight, store, records, requesters, executions, events, at, stragglers)
    except StaleGeneration as turned:
        return _progress(store.get(), "again", str(turned), 1)


def _patience(since: float) -> int:
    """Seconds until the next look, `since` so many seconds of waiting: most things take a moment, databases minutes."""
    return max(SOON, min(LATER, round(since / 6)))


def _carry_out(
    record: CapacityRecord,
    look: CapacityAssessment,
    *,
    store: CapacityStore,
    world: CapacityWorld,
    events: EventPublisher,
    at: float,
) -> CapacityRecord:
    """Write down what the look found, act, and write down what was acted on.

    The first write stops whoever acts for an older goal; only what took effect counts as tried.
    """
    generation = record.generation
    due = [*look.waiting, *(act.key for act in look.acts)]
    record = store.update(
        lambda r: await_things(
            add_notes(r, look.notes, generation=generation), due, generation=generation, now=at
        )
    )
    applied, refused = _act(look.acts, world, at)
    if applied or refused:
        record = store.update(
            lambda r: add_notes(
                count_tries(r, applied, generation=generation, now=at), refused, generation=generation
            )
        )
    if found := {**look.notes, **refused}:
        events.publish(*changed_event(record.environment, found, at))
    return record


def _finish(
    record: CapacityRecord,
    sight: CapacitySight,
    store: CapacityStore,
    records: ServiceRecords,
    requesters: Requesters,
    executions: Executions,
    events: EventPublisher,
    at: float,
    stragglers: float,
) -> CapacityProgress:
    """Everything is where it should be: look once more after the last straggler, then close."""
    generation = record.generation
    left = record.goal_at + stragglers - at
    if record.saved and left > 0:
        return _progress(
            record, "again", "one more look after older writers' time is up", min(60, int(left) + 1)
        )
    undone = [f"{key}: {note.detail}" for key, note in sorted(record.notes.items()) if note.why in UNFINISHED]
    if record.goal == "asleep":
        stopped = [
            key
            for key, saved in (record.saved.things if record.saved else {}).items()
            if key.startswith("Database") and saved.original != saved.parked and key not in record.notes
        ]
        record = store.update(lambda r: fall_asleep(r, stopped, generation=generation, now=at))
        _closing("asleep", record, undone, sight, events, at)
        return _progress(record, "done", f"{record.environment} is asleep" + _but(undone))
    if record.saved and not all_restored(record, sight.things):
        _closing("incomplete", record, undone, sight, events, at)
        return _progress(record, "incomplete", f"{record.environment} is not awake{_but(undone)}")
    # Before the record says that it is awake: nobody looks for holds after that.
    _lift_holds(records)
    record = store.update(lambda r: wake_up(r, generation=generation, now=at))
    start_queued(record, store=store, requesters=requesters, executions=executions)
    _closing("awake", record, undone, sight, events, at)
    return _progress(record, "done", f"{record.environment} is awake" + _but(undone))


def start_queued(
    record: CapacityRecord, *, store: CapacityStore, requesters: Requesters, executions: Executions
) -> None:
    """Start the releases and trains that were asked for while asleep.

    Safe to repeat: an execution is started once by its name, and taken off the queue after that. What
    is left on the queue is found by the reconciler.
    """
    for each in record.queue:
        name = next_name(each.release, record.generation)
        if each.asked is not None:
            requesters.keep(each.machine, name, each.asked)
        executions.start(each.machine, name, each.payload)
    if record.queue:
        gone = [release.release for release in record.queue]
        store.update(lambda r: dequeue(r, gone))


def _lift_holds(records: ServiceRecords) -> None:
    for each in records.all():
        if any(entry.key == HOLD for entry in each.holds):
            records.update(each.service, lambda r: lift_hold(r, HOLD))


def _save(record: CapacityRecord, sight: CapacitySight, *, store: CapacityStore, at: float) -> CapacityRecord:
    things = originals(sight)
    return store.update(lambda r: save_originals(r, things, generation=record.generation, now=at))


def _hold_releases(records: ServiceRecords, at: float) -> None:
    """Hold a release that began in the very moment in which the environment went to sleep."""
    entry = Hold(HOLD, "the environment is asleep", at, "capacity")
    for each in records.all():
        if each.holder and not any(mine.key == HOLD for mine in each.holds):
            records.update(each.service, lambda r: add_hold(r, entry) if r.holder else r)


def _act(acts: tuple[CapacityAct, ...], world: CapacityWorld, at: float) -> tuple[list[str], dict[str, Note]]:
    """Carry out acts: the keys that took effect, and what the world refused for good.

    Whatever failed otherwise is neither: the next look sees it.
    """
    applied: list[str] = []
    refused: dict[str, Note] = {}
    for act in acts:
        try:
            world.apply(act)
        except Throttled:
            break
        except Retryable:
            continue
        except Permanent as refusal:
            refused[act.key] = Note("refused", str(refusal), at)
        else:
            applied.append(act.key)
    return applied, refused


def _closing(
    kind: str,
    record: CapacityRecord,
    undone: list[str],
    sight: CapacitySight,
    events: EventPublisher,
    at: float,
) -> None:
    """Publish how it ended. A wake that keeps failing is news less and less often."""
    if kind == "incomplete" and record.runs & (record.runs - 1):
        return
    aside = [*undone, *sight.warnings]
    more: dict[str, object] = {"tone": "warning"} if aside and kind != "incomplete" else {}
    events.publish(
        *capacity_event(
            kind,
            record.environment,
            f"{record.reason}; {abridged(aside)}" if aside else record.reason,
            at,
            took=round(at - record.goal_at),
            undone=undone,
            notes={key: f"{note.why}: {note.detail}" for key, note in record.notes.items()},
            warnings=list(sight.warnings),
            left_alone={key: why for key, why in sight.left_alone.items() if why},
            **more,
        )
    )


def _progress(
    record: CapacityRecord, status: Literal["again", "done", "incomplete"], reason: str, wait: int = 0
) -> CapacityProgress:
    return CapacityProgress(status, reason, wait, record.goal, record.phase)


def _but(undone: list[str]) -> str:
    return f", but {abridged(undone)}" if undone else ""
