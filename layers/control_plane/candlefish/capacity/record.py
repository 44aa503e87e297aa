"""Every way an environment's capacity record may change: pure functions from record to record.

The store keeps the result if nobody else wrote in between, so what is true here is true of the
system. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from candlefish.capacity.kinds import kind_of
from candlefish.capacity.model import (
    UNFINISHED,
    CapacityRecord,
    Nap,
    Note,
    Queued,
    RunningTrain,
    Saved,
    ScheduleOverride,
    Sleep,
    State,
    Tried,
)
from candlefish.errors import InvalidInput, StaleGeneration

NAPS_KEPT = 200
QUEUE_AT_MOST = 50
OVERRIDES_AT_MOST = 50

_replace = msgspec.structs.replace


def require_generation(record: CapacityRecord, generation: int) -> None:
    """Raise `StaleGeneration` unless the caller's generation is the newest."""
    if record.generation != generation:
        raise StaleGeneration(
            f"the capacity of {record.environment} is at generation {record.generation}, the caller holds "
            f"{generation}: the goal turned since (it is {record.goal} now); nothing was changed by this call"
        )


def turn_goal(record: CapacityRecord, goal: State, *, reason: str, by: str, now: float) -> CapacityRecord:
    """Set another goal. Turning to the goal that is set already changes nothing.

    Turning while an earlier turn is half-way keeps the originals it saved: they are what the
    environment was when it was last whole.
    """
    if record.goal == goal:
        return record
    naps = record.naps
    if record.phase == "asleep":
        naps = (*naps, Nap(record.phase_at, now))[-NAPS_KEPT:]
    going = {"asleep": "going_down", "awake": "waking"}
    # Before anything is saved nothing was touched: such a sleep is simply called off.
    phase = going[goal] if record.saved or goal == "asleep" else "awake"
    return _replace(
        record,
        generation=record.generation + 1,
        goal=goal,
        goal_at=now,
        phase=phase,
        phase_at=now,
        reason=reason,
        by=by,
        runs=0,
        execution="",
        tried={},
        notes={},
        naps=naps,
        postponed_since=0.0,
    )


def begin_run(
    record: CapacityRecord, *, generation: int, now: float, again: Iterable[str] = ()
) -> CapacityRecord:
    """Begin another run of the machine for the goal: what was not done last time is tried again.

    `again` names databases that AWS started by itself; their week begins anew.
    """
    require_generation(record, generation)
    stopped = {key: since for key, since in record.stopped.items() if key not in set(again)}
    asleep = record.phase == "asleep"
    # Who put a workload back three times would do so again: once asleep, it is left alone.
    notes = {
        key: note
        for key, note in record.notes.items()
        if note.why not in UNFINISHED or (asleep and kind_of(key).workload)
    }
    phase = "going_down" if asleep else record.phase
    naps = record.naps
    if asleep:
        naps = (*naps, Nap(record.phase_at, now))[-NAPS_KEPT:]
    at = now if phase != record.phase else record.phase_at
    return _replace(
        record,
        runs=record.runs + 1,
        execution="",
        tried={},
        notes=notes,
        phase=phase,
        phase_at=at,
        naps=naps,
        stopped=stopped,
    )


def set_execution(record: CapacityRecord, *, generation: int, execution: str) -> CapacityRecord:
    """Write down which execution runs for the goal."""
    require_generation(record, generation)
    return _replace(record, execution=execution)


def save_originals(
    record: CapacityRecord, things: Mapping[str, Saved], *, generation: int, now: float
) -> CapacityRecord:
    """Save the originals, once: what is saved already stays as it is (invariant I6)."""
    require_generation(record, generation)
    if record.saved is not None:
        return record
    return _replace(record, saved=Sleep(generation, now, dict(things)))


def count_tries(
    record: CapacityRecord, keys: Iterable[str], *, generation: int, now: float
) -> CapacityRecord:
    """Count an attempt on each of the things, before it is made."""
    require_generation(record, generation)
    counts = dict(record.tried)
    for key in keys:
        times = counts[key].times if key in counts else 0
        counts[key] = Tried(times + 1, now)
    return _replace(record, tried=counts)


def await_things(
    record: CapacityRecord, keys: Iterable[str], *, generation: int, now: float
) -> CapacityRecord:
    """Remember since when things are waited for that this run never acted on."""
    require_generation(record, generation)
    fresh = {key: Tried(0, now) for key in keys if key not in record.tried}
    return _replace(record, tried={**record.tried, **fresh}) if fresh else record


def add_notes(record: CapacityRecord, notes: Mapping[str, Note], *, generation: int) -> CapacityRecord:
    """Add notes; a thing keeps its first one."""
    require_generation(record, generation)
    return _replace(record, notes={**notes, **record.notes}) if notes else record


def fall_asleep(
    record: CapacityRecord, stopped: Iterable[str], *, generation: int, now: float
) -> CapacityRecord:
    """Everything is down that could be brought down."""
    require_generation(record, generation)
    since = {key: record.stopped.get(key, now) for key in stopped}
    return _replace(record, phase="asleep", phase_at=now, tried={}, stopped=since)


def wake_up(record: CapacityRecord, *, generation: int, now: float) -> CapacityRecord:
    """Everything is restored: the originals are cleared, and the next sleep saves its own."""
    require_generation(record, generation)
    return _replace(record, phase="awake", phase_at=now, saved=None, tried={}, stopped={})


def postpone(record: CapacityRecord, now: float) -> CapacityRecord:
    """Remember since when releases keep the environment awake past its hours."""
    return record if record.postponed_since else _replace(record, postponed_since=now)


def end_postponement(record: CapacityRecord) -> CapacityRecord:
    """Nothing keeps the environment awake past its hours any more."""
    return _replace(record, postponed_since=0.0) if record.postponed_since else record


def add_override(record: CapacityRecord, override: ScheduleOverride, now: float) -> CapacityRecord:
    """Add an override; expired ones are dropped."""
    live = tuple(each for each in record.overrides if each.until > now)
    if override in live:
        return record
    if len(live) >= OVERRIDES_AT_MOST:
        raise InvalidInput(
            f"{record.environment} has {len(live)} overrides; drop them with: candlefish capacity "
            f"clear -e {record.environment}"
        )
    return _replace(record, overrides=(*live, override))


def sleep_for_costs(
    record: CapacityRecord, override: ScheduleOverride, *, month: str, now: float
) -> CapacityRecord:
    """Add the override by which the cost guard sends the environment to sleep; once for a month."""
    if record.guarded == month:
        return record
    return _replace(add_override(record, override, now), guarded=month)


def clear_overrides(record: CapacityRecord) -> CapacityRecord:
    """Drop every override: the calendar alone decides again."""
    return _replace(record, overrides=()) if record.overrides else record


def enqueue(record: CapacityRecord, release: Queued) -> CapacityRecord:
    """Queue a release until the environment is awake; queueing it again changes nothing."""
    if any(each.release == release.release for each in record.queue):
        return record
    if len(record.queue) >= QUEUE_AT_MOST:
        raise InvalidInput(
            f"{record.environment} is asleep and {len(record.queue)} releases wait already; wake it with: "
            f"candlefish wake -e {record.environment}"
        )
    return _replace(record, queue=(*record.queue, release))


def dequeue(record: CapacityRecord, releases: Iterable[str]) -> CapacityRecord:
    """Take releases off the queue."""
    gone = set(releases)
    left = tuple(each for each in record.queue if each.release not in gone)
    return record if left == record.queue else _replace(record, queue=left)


def admit_train(record: CapacityRecord, train: RunningTrain) -> CapacityRecord:
    """Write a train down, so that the environment stays awake between its releases."""
    return record if train in record.trains else _replace(record, trains=(*record.trains, train))


def forget_trains(record: CapacityRecord, trains: Iterable[RunningTrain]) -> CapacityRecord:
    """Trains that have ended keep nothing awake."""
    gone = set(trains)
    left = tuple(each for each in record.trains if each not in gone)
    return record if left == record.trains else _replace(record, trains=left)
