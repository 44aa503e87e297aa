"""What is asked for while the environment sleeps: a release or a train waits for the morning, or wakes it.

A train waits as a whole, before its first release, or not at all. Once it was let in the environment stays
awake until it has ended (`running_trains`), and its releases are let in with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from candlefish.capacity.calendar import Desired, desired_state, timetable
from candlefish.capacity.model import CapacityRecord, Queued, RunningTrain, ScheduleOverride
from candlefish.capacity.news import capacity_event
from candlefish.capacity.ports import CapacityStore
from candlefish.capacity.record import add_override, admit_train, enqueue, forget_trains
from candlefish.catalog.model import Catalog, Schedule
from candlefish.errors import EnvironmentAsleep
from candlefish.names import RELEASE, bounded_name
from candlefish.ports import EventPublisher, Executions, Now
from candlefish.requester import Asked

# How long a release that wakes an environment keeps it awake, in seconds.
AWAKE_FOR = 2 * 3600.0


class Admission(msgspec.Struct, frozen=True):
    """Whether a release or a train may begin now, and why."""

    action: Literal["go", "wake", "queue"]
    reason: str


def decide_admission(
    record: CapacityRecord, schedule: Schedule, wanted: Desired, machine: str = "release", train: str = ""
) -> Admission:
    """Decide from what is recorded: whatever is not fully awake is no place for a release or a train.

    The exception is what was let in already, `train`: as long as nothing was saved nothing is put to sleep,
    and nothing will be while it runs.
    """
    name = record.environment
    if record.phase == "awake":
        return Admission("go", f"{name} is awake")
    if train and record.saved is None and any(each.train == train for each in record.trains):
        return Admission("go", f"{name} stays awake for train {train}")
    doing = _doing(record)
    if record.goal == "awake":
        return Admission("queue", f"{name} {doing}; the {machine} starts as soon as it is awake")
    if schedule.on_release_while_asleep == "wake":
        return Admission(
            "wake", f"{name} {doing}; it is woken, and the {machine} starts as soon as it is awake"
        )
    when = _shown(wanted.until, schedule.timezone) if wanted.state == "asleep" and wanted.until else "later"
    return Admission(
        "queue",
        f"{name} {doing}; the {machine} starts when it wakes ({when}), "
        f"or sooner with: candlefish wake -e {name} --until 2h --reason ...",
    )


def require_awake(
    environment: str,
    *,
    release: str,
    payload: Mapping[str, Any],
    asked: Asked,
    catalog: Catalog,
    store: CapacityStore,
    events: EventPublisher,
    now: Now,
    train: str = "",
) -> None:
    """Let a release begin only in an environment that is awake; otherwise queue it, once.

    `payload` is the input with which the release machine is started again, under a name made of
    `release`. A release of a `train` is never queued: alone it would be half of something. Production,
    and whatever has no schedule, is always awake.

    Raises
    ------
    EnvironmentAsleep
        The release was queued, or its train was never let in; its execution should end here.
    InvalidInput
        Too many wait already.
    """
    if not train:
        waiting = Queued(release, dict(payload), now(), asked=asked)
        _enter(environment, waiting, catalog=catalog, store=store, events=events)
    elif (schedule := _schedule(environment, catalog)) is not None:
        record = store.get()
        wanted = desired_state(
            timetable(catalog.environment(environment), catalog.calendars), record.overrides, now()
        )
        if decide_admission(record, schedule, wanted, train=train).action != "go":
            raise EnvironmentAsleep(
                f"{environment} {_doing(record)}, and no train {train} was let in: release {release} is part of "
                "it and is not queued alone; start the train again, it waits as a whole"
            )


def require_awake_for_train(
    environment: str,
    *,
    train: str,
    execution: str,
    payload: Mapping[str, Any],
    asked: Asked,
    catalog: Catalog,
    store: CapacityStore,
    events: EventPublisher,
    now: Now,
) -> None:
    """Let a whole train in, and keep the environment awake while `execution` runs; otherwise queue it, once.

    Raises
    ------
    EnvironmentAsleep
        The train was queued before anything of it began; its execution should end here.
    InvalidInput
        Too many wait already.
    """
    waiting = Queued(train, dict(payload), now(), "train", asked)
    running = RunningTrain(train, execution)
    _enter(
        environment,
        waiting,
        catalog=catalog,
        store=store,
        events=events,
        train=train,
        enter=lambda r: admit_train(r, running),
    )


def running_trains(
    record: CapacityRecord, *, executions: Executions, store: CapacityStore | None
) -> Sequence[RunningTrain]:
    """The trains that are still under way; those that have ended are forgotten in `store`, if there is one.

    Raises
    ------
    Throttled, Unavailable
        An execution could not be looked at.
    """
    running = [each for each in record.trains if executions.status(each.execution).status == "RUNNING"]
    ended = [each for each in record.trains if each not in running]
    if ended and store is not None:
        store.update(lambda r: forget_trains(r, ended))
    return running


def _enter(
    environment: str,
    waiting: Queued,
    *,
    catalog: Catalog,
    store: CapacityStore,
    events: EventPublisher,
    train: str = "",
    enter: Callable[[CapacityRecord], CapacityRecord] = lambda record: record,
) -> None:
    """Write down in one step that something begins (`enter`), or that it waits."""
    schedule = _schedule(environment, catalog)
    if schedule is None:
        return
    at, what = waiting.at, f"{waiting.machine} {waiting.release}"
    times = timetable(catalog.environment(environment), catalog.calendars)
    override = ScheduleOverride(
        "wake", at, at + AWAKE_FOR, what, f"a {waiting.machine} was asked for while asleep"
    )

    def change(record: CapacityRecord) -> tuple[CapacityRecord, Admission]:
        wanted = desired_state(times, record.overrides, at)
        admission = decide_admission(record, schedule, wanted, waiting.machine, train)
        if admission.action == "go":
            return enter(record), admission
        known = any(each.release == waiting.release for each in record.queue)
        after = enqueue(record, waiting)
        if admission.action == "wake" and not known:
            after = add_override(after, override, at)
        return after, admission

    _, admission = store.update(change)
    if admission.action == "go":
        return
    about = {"machine": waiting.machine, waiting.machine: waiting.release}
    events.publish(*capacity_event("queued", environment, admission.reason, at, **about))
    if admission.action == "wake":
        events.publish(*capacity_event("asked", environment, admission.reason, at, by=what, action="wake"))
    raise EnvironmentAsleep(f"{what} is queued: {admission.reason}")


def _schedule(environment: str, catalog: Catalog) -> Schedule | None:
    """The hours of an environment that may sleep."""
    env = catalog.environment(environment)
    return None if env.production else env.schedule


def _doing(record: CapacityRecord) -> str:
    words = {
        "awake": "is awake",
        "going_down": "is going to sleep",
        "asleep": "is asleep",
        "waking": "is waking",
    }
    return words[record.phase]


def next_name(release: str, generation: int) -> str:
    """The execution name under which what was queued starts: its own was used up by the one that waited."""
    return bounded_name(release, f"g{generation}", longest=RELEASE)


def _shown(moment: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%a %d %b %H:%M} {zone}"
