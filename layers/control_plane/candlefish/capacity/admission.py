"""A release that is asked for while the environment sleeps: it waits for the morning, or wakes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from candlefish.capacity.calendar import Desired, Override, desired, timetable
from candlefish.capacity.guard import is_production
from candlefish.capacity.model import CapacityRecord, Queued
from candlefish.capacity.news import tell
from candlefish.capacity.ports import CapacityStore, Events
from candlefish.capacity.record import overridden, queued
from candlefish.catalog.model import Catalog, Schedule
from candlefish.errors import EnvironmentAsleep
from candlefish.ports import Now

# How long a release that wakes an environment keeps it awake, in seconds.
AWAKE_FOR = 2 * 3600.0
_AGAIN = re.compile(r"-g\d+$")


class Admission(msgspec.Struct, frozen=True):
    """Whether a release may begin now, and why."""

    action: Literal["go", "wake", "queue"]
    reason: str


def admit(record: CapacityRecord, schedule: Schedule, wanted: Desired) -> Admission:
    """Decide from what is recorded: whatever is not fully awake is no place for a release."""
    name = record.environment
    if record.phase == "awake":
        return Admission("go", f"{name} is awake")
    doing = {"going_down": "is going to sleep", "asleep": "is asleep", "waking": "is waking"}[record.phase]
    if record.goal == "awake":
        return Admission("queue", f"{name} {doing}; the release starts as soon as it is awake")
    if schedule.on_release_while_asleep == "wake":
        return Admission(
            "wake", f"{name} {doing}; it is woken, and the release starts as soon as it is awake"
        )
    when = _shown(wanted.until, schedule.timezone) if wanted.state == "asleep" and wanted.until else "later"
    return Admission(
        "queue",
        f"{name} {doing}; the release starts when it wakes ({when}), "
        f"or sooner with: candlefish wake -e {name} --until 2h --reason ...",
    )


def require_awake(
    environment: str,
    *,
    release: str,
    payload: Mapping[str, Any],
    catalog: Catalog,
    store: CapacityStore,
    events: Events,
    now: Now,
) -> None:
    """Let a release begin only in an environment that is awake; otherwise queue it, once.

    `payload` is the input with which the release machine is started again, under a name made of
    `release`. Production, and whatever has no schedule, is always awake.

    Raises
    ------
    EnvironmentAsleep
        The release was queued; its execution should end here.
    InvalidInput
        Too many releases wait already.
    """
    env = catalog.environment(environment)
    if env.production or is_production(environment) or env.schedule is None:
        return
    record, at = store.get(), now()
    schedule = env.schedule
    admission = admit(record, schedule, desired(timetable(env, catalog.calendars), record.overrides, at))
    if admission.action == "go":
        return
    waiting = Queued(release, dict(payload), at)
    until = at + AWAKE_FOR
    override = Override("wake", at, until, f"release {release}", "a release was asked for while asleep")

    def change(current: CapacityRecord) -> CapacityRecord:
        if current.phase == "awake":  # It woke between our look and now.
            return current
        known = any(each.release == release for each in current.queue)
        after = queued(current, waiting)
        return overridden(after, override, at) if admission.action == "wake" and not known else after

    if store.update(change).phase == "awake":
        return
    tell(events, "queued", environment, admission.reason, at, release=release)
    if admission.action == "wake":
        tell(events, "asked", environment, admission.reason, at, by=f"release {release}", action="wake")
    raise EnvironmentAsleep(f"release {release} is queued: {admission.reason}")


def next_name(release: str, generation: int) -> str:
    """The execution name under which a queued release starts: its own was used up by the one that waited."""
    return f"{_AGAIN.sub('', release)}-g{generation}"


def _shown(moment: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%a %d %b %H:%M} {zone}"
