"""What is read before something is shown. What cannot be read is said, and never stops the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from candlefish.automation import why_off
from candlefish.capacity.calendar import desired_state, timetable
from candlefish.capacity.model import UNFINISHED, CapacityRecord, ScheduleOverride
from candlefish.capacity.news import abridged
from candlefish.errors import ControlPlaneError, NotOnboarded, UnknownService, Unreadable
from candlefish.failover.model import nobody_moves
from candlefish.release.freeze import open_freeze, stretch_of
from candlefish.release.manifests.model import runner_name
from candlefish.service.model import SLOTS, Slot
from candlefish.service.record import ServiceRecord
from candlefish.views.facts import FrozenNow, ReleaseFacts, Surroundings
from candlefish.views.model import PodsView
from candlefish.views.needs import LINES, STRETCH, missing_lines
from candlefish.views.ports import Glance, Looking
from candlefish.views.slots import pods_view
from candlefish.views.weights import Weighed, weigh

# How many entries of a timeline come at once.
ENTRIES = 50
# How many failovers are looked at: one that waits for people is among the newest.
FAILOVERS = 3


def surroundings(looking: Looking) -> Surroundings:
    """What holds for the environment: the switch, sleep, freezes."""
    now, environment = looking.now(), looking.catalog.environment(looking.environment)
    off = why_off(looking.switchboard) if looking.switchboard else ""
    unknown: list[str] = []
    freezes = []
    if freeze := open_freeze(environment.freezes, environment.timezone, now):
        _, end = stretch_of(freeze, environment.timezone)
        freezes.append(FrozenNow(end, freeze.reason or freeze.name))
    if looking.freezes:
        try:
            asked = looking.freezes.get().in_force(now)
            freezes += [FrozenNow(each.until, each.reason, each.service, each.by) for each in asked]
        except ControlPlaneError as error:
            unknown.append(f"whether anything is frozen could not be read: {error}")
    asleep, going, turns = False, "", 0.0
    overrides: tuple[ScheduleOverride, ...] = ()
    not_awake, wanted_since = "", 0.0
    if looking.capacity and not environment.production and environment.schedule:
        try:
            record = looking.capacity.get()
            overrides = record.overrides
            wanted = desired_state(timetable(environment, looking.catalog.calendars), overrides, now)
            asleep, turns = record.phase == "asleep", wanted.until or 0.0
            going = {"going_down": "falling asleep", "waking": "waking up"}.get(record.phase, "")
            not_awake, wanted_since = why_not_awake(record), record.goal_at
        except ControlPlaneError as error:
            unknown.append(f"whether {environment.name} sleeps could not be read: {error}")
    return Surroundings(
        automation_off=off,
        asleep=asleep,
        going=going,
        turns_at=turns,
        overrides=overrides,
        not_awake=not_awake,
        not_awake_since=wanted_since,
        freezes=tuple(freezes),
        unknown=tuple(unknown),
    )


def why_not_awake(record: CapacityRecord) -> str:
    """Why an environment is not awake although a run of the machine was to wake it; empty where it is, or may yet be."""
    if record.goal != "awake" or record.phase != "waking" or record.runs < 2:
        return ""
    undone = [f"{key}: {note.detail}" for key, note in sorted(record.notes.items()) if note.why in UNFINISHED]
    return abridged(undone) if undone else f"run {record.runs} goes on where those before it ended"


def with_signals(around: Surroundings, looking: Looking) -> Surroundings:
    """What holds for an environment, with the newest lines of the log of signals."""
    if looking.signals is None:
        return around
    now = looking.now()
    found = looking.signals.lately(LINES, now, now - STRETCH)
    hidden = missing_lines(found.lines, found.older, now)
    unknown = (*around.unknown, hidden) if hidden else around.unknown
    return msgspec.structs.replace(around, signals=found.lines, unknown=unknown)


def with_failovers(around: Surroundings, looking: Looking) -> Surroundings:
    """What holds for an environment, with the failovers that wait for people; asked where something could fail over."""
    environment = looking.catalog.environment(looking.environment)
    if looking.runs is None or not (environment.databases or environment.caches):
        return around
    newest = looking.runs.recent(limit=FAILOVERS)
    now = looking.now()
    waiting = [
        run for run in newest if run.status in ("awaiting_approval", "stopped") or nobody_moves(run, now)
    ]
    return msgspec.structs.replace(around, waiting=tuple(waiting))


def look_at_release(
    id: str,
    looking: Looking,
    *,
    live: bool,
    record: ServiceRecord | None = None,
    around: Surroundings | None = None,
) -> ReleaseFacts:
    """Everything that is known of a release. `live` asks the load balancer and the cluster as well; `record` and
    `around` are what was read of its service and its environment a moment ago, if anything was.

    Raises
    ------
    UnknownService
        There is no release of that id here.
    Unreadable
        It is not one that this code can read.
    """
    glance = looking.history.glances([id])[id]
    release = glance.release
    if release is None or release.environment != looking.environment:
        if glance.unreadable:
            raise Unreadable(glance.unreadable)
        raise unknown_release(id, looking.environment)
    timeline = looking.history.entries_of(id, ENTRIES)
    unknown = [glance.unreadable] if glance.unreadable else []
    record = record or record_of(release.service, looking, unknown)
    concerned = record is not None and id in concerns(record)
    weighed = weigh(record, looking.rules) if record and live and concerned else Weighed()
    return ReleaseFacts(
        release=release,
        record=record,
        now=looking.now(),
        question=glance.question,
        seen=glance.seen,
        windows=looking.history.windows(id),
        entries=timeline.entries,
        older=timeline.older,
        weights=weighed.weights,
        pods=pods_in(record, looking) if record and live and concerned else {},
        around=around or surroundings(looking),
        unknown=(*unknown, *weighed.unknown),
    )


def unknown_release(id: str, environment: str) -> UnknownService:
    """What is said of a release that is not there."""
    return UnknownService(
        f"there is no release {id[:80]!r} in {environment}; list them with: candlefish status"
    )


def glanced_facts(
    glance: Glance, record: ServiceRecord | None, around: Surroundings, now: float
) -> ReleaseFacts | None:
    """What is known of a release from a glance alone, as a line of a list needs it."""
    if glance.release is None:
        return None
    return ReleaseFacts(
        glance.release, record, now, glance.question, glance.seen, glanced=True, around=around
    )


def concerns(record: ServiceRecord) -> tuple[str, ...]:
    """The releases that a record is about now: who has it, what is taken back, what was promoted."""
    running = (
        [record.rollback.release] if record.rollback else [record.holder.release] if record.holder else []
    )
    return tuple(dict.fromkeys(each for each in (*running, record.promoted_release) if each))


def require_service(service: str, looking: Looking) -> None:
    """Refuse a service that the catalog does not have."""
    if service not in looking.catalog.services:
        raise UnknownService(
            f"the catalog has no service {service[:40]!r}; list them with: candlefish status"
        )


def record_of(service: str, looking: Looking, unknown: list[str]) -> ServiceRecord | None:
    """A service's record; None where it cannot be read, with the reason among the unknown."""
    try:
        return looking.records.get(service)
    except NotOnboarded:
        raise
    except ControlPlaneError as error:
        unknown.append(str(error))
        return None


def pods_in(record: ServiceRecord, looking: Looking) -> Mapping[Slot, PodsView]:
    """The Pods of both slots, where a slot has any."""
    if looking.workloads is None:
        return {}
    found: dict[Slot, PodsView] = {}
    namespace = looking.catalog.environment(looking.environment).namespace
    for slot in SLOTS:
        each = record.slots[slot]
        if each.version is None and each.incoming is None and not each.running:
            continue
        try:
            found[slot] = pods_view(looking.workloads.of_slot(namespace, runner_name(record, slot)))
        except ControlPlaneError as error:
            found[slot] = PodsView(unknown=str(error))
    return found


def glances_of(ids: Sequence[str], looking: Looking) -> Mapping[str, Glance]:
    """Glances at releases; no call where there are none."""
    return looking.history.glances(ids) if ids else {}
