"""What comes next on the way down, on the way up, and while asleep: pure, from what is seen now.

Nothing here remembers where it was. Each look compares everything that was saved with everything
that is seen and says what is missing, so it does not matter how often it runs, what ran before it,
or where that died.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from candlefish.capacity.kinds import LAST_DOWN, LAST_UP, Fragment, Kind, kind_of, same_fragment
from candlefish.capacity.model import (
    UNFINISHED,
    CapacityRecord,
    CapacitySight,
    Note,
    ObservedThing,
    ObservedThings,
    Saved,
)

# Times a thing is set in one run before it counts as resisting.
TIMES = 3
# A stopped RDS instance or cluster is started by AWS after seven days; a little slack for its clock.
WEEK = 7 * 86400 - 3600.0
# How long a run leaves alone what was not done, before the reconciler starts another, in seconds.
RETRY = 1800.0
# No function of ours lives longer than this, and a request that it sent has arrived: whoever acted
# for an older goal has ended by then.
STRAGGLERS = 120.0


class CapacityAct(msgspec.Struct, frozen=True):
    """Set one thing to a state."""

    key: str
    to: Fragment
    # resourceVersion that was seen; empty writes whatever came in between.
    version: str = ""


class CapacityAssessment(msgspec.Struct, frozen=True):
    """What to do now. With neither acts nor things to wait for, everything is where it should be."""

    stage: int
    acts: tuple[CapacityAct, ...] = ()
    # key -> what it is waited for.
    waiting: dict[str, str] = {}
    notes: dict[str, Note] = {}

    @property
    def done(self) -> bool:
        return not self.acts and not self.waiting


def originals(sight: CapacitySight) -> dict[str, Saved]:
    """What to save before the environment goes to sleep: everything in scope, as it is."""
    return {
        key: Saved(
            original=seen.state,
            parked=kind_of(key).park(seen.state),
            autoscaled=seen.autoscaled,
            ready=seen.ready,
            owner=seen.owner,
        )
        for key, seen in sorted(sight.things.items())
        if key not in sight.left_alone
    }


def assess_going_down(record: CapacityRecord, seens: ObservedThings, now: float) -> CapacityAssessment:
    """The next acts on the way to sleep. Stages go one after the other."""
    assert record.saved
    notes: dict[str, Note] = {}
    for stage in range(LAST_DOWN + 1):
        acts: list[CapacityAct] = []
        waiting: dict[str, str] = {}
        for key, kind, saved in _stage(record, stage, up=False):
            seen = seens.get(key)
            if key in record.notes:
                continue
            if seen is None:
                notes[key] = Note("missing", f"{key} is gone", now)
            elif seen.busy:
                _wait(waiting, notes, record, key, kind, seen.detail or "an earlier change", now)
            elif seen.state == saved.parked:
                if not seen.empty and kind.push and not _enough(record, key):
                    acts.append(CapacityAct(key, saved.parked, seen.version))
                elif not seen.empty:
                    _wait(waiting, notes, record, key, kind, seen.detail or "what runs to end", now)
            elif (note := _not_ours(record, key, kind, saved, seen, now)) is not None or (
                note := _given_up(record, key, kind, now)
            ) is not None:
                notes[key] = note
            else:
                acts.append(CapacityAct(key, saved.parked, seen.version))
        if acts or waiting:
            return CapacityAssessment(stage, tuple(acts), waiting, notes)
    return CapacityAssessment(LAST_DOWN, notes=notes)


def _not_ours(
    record: CapacityRecord, key: str, kind: Kind, saved: Saved, seen: ObservedThing, now: float
) -> Note | None:
    """Why a thing that is not parked must be left as it is; None when it may be parked."""
    attempts = record.tried.get(key)
    if attempts is None or attempts.times == 0:
        if saved.autoscaled or same_fragment(kind, seen.state, saved.original):
            return None
        return Note("changed", f"{_says(seen)} instead of {_brief(saved.original)}{_by(seen)}", now)
    if not _enough(record, key):
        return None
    return Note(
        "resisted", f"set to sleep {TIMES} times, but it is {_says(seen)}{_by(seen)}{_owner(saved)}", now
    )


def assess_waking(record: CapacityRecord, seens: ObservedThings, now: float) -> CapacityAssessment:
    """The next acts on the way up. A stage that is slow or resists is passed, but not forgotten."""
    assert record.saved
    notes: dict[str, Note] = {}
    for stage in range(LAST_UP + 1):
        acts: list[CapacityAct] = []
        waiting: dict[str, str] = {}
        for key, kind, saved in _stage(record, stage, up=True):
            seen = seens.get(key)
            if key in record.notes:
                continue
            if seen is None:
                notes[key] = Note("missing", f"{key} is gone; it was {_brief(saved.original)}", now)
            elif seen.busy and not seen.ready:
                _wait(waiting, notes, record, key, kind, seen.detail or "an earlier change", now)
            elif same_fragment(kind, seen.state, saved.original) or _moved_on(saved, seen):
                if saved.ready and not seen.ready:
                    _wait(waiting, notes, record, key, kind, seen.detail or "it to be ready", now)
            elif not same_fragment(kind, seen.state, saved.parked):
                detail = (
                    f"{_says(seen)}, it was {_brief(saved.original)} before{_by(seen)}; it is left as it is"
                )
                notes[key] = Note("changed", detail, now)
            elif _enough(record, key):
                detail = f"restored {TIMES} times, but it is {_says(seen)}{_by(seen)}{_owner(saved)}"
                notes[key] = Note("resisted", detail, now)
            elif (note := _given_up(record, key, kind, now)) is not None:
                notes[key] = note
            else:
                acts.append(CapacityAct(key, saved.original, seen.version))
        if acts or waiting:
            return CapacityAssessment(stage, tuple(acts), waiting, notes)
    return CapacityAssessment(LAST_UP, notes=notes)


def _enough(record: CapacityRecord, key: str) -> bool:
    return key in record.tried and record.tried[key].times >= TIMES


def _moved_on(saved: Saved, seen: ObservedThing) -> bool:
    """Whether an autoscaler has taken over from where we restored it."""
    return saved.autoscaled and seen.state != saved.parked


def all_restored(record: CapacityRecord, seens: ObservedThings) -> bool:
    """Whether nothing is left at its sleeping state, but for what is gone: the originals may be cleared."""
    assert record.saved
    for key, saved in record.saved.things.items():
        kind, seen = kind_of(key), seens.get(key)
        if seen is None or same_fragment(kind, saved.parked, saved.original):
            continue
        if same_fragment(kind, seen.state, saved.parked) or (seen.busy and not seen.ready):
            return False
    return True


class SleepDrift(msgspec.Struct, frozen=True):
    """What is not as it should be while the environment sleeps."""

    # Somebody changed it: reported, never overwritten.
    notes: dict[str, Note] = {}
    # Databases that AWS started after their week.
    again: tuple[str, ...] = ()


def assess_asleep(record: CapacityRecord, seens: ObservedThings, now: float) -> SleepDrift:
    """Compare a sleeping environment with what it should be."""
    assert record.saved
    notes: dict[str, Note] = {}
    again: list[str] = []
    for key, saved in record.saved.things.items():
        seen = seens.get(key)
        if key in record.notes:
            continue
        if seen is None:
            notes[key] = Note("missing", f"{key} is gone; it was {_brief(saved.original)}", now)
        elif seen.state == saved.parked:
            continue
        elif key in record.stopped and now - record.stopped[key] >= WEEK:
            again.append(key)
        else:
            notes[key] = Note("changed", f"{_says(seen)}{_by(seen)}{_owner(saved)}; it is left as it is", now)
    return SleepDrift(notes, tuple(again))


def unfinished(record: CapacityRecord, now: float) -> tuple[str, ...]:
    """Infrastructure that would not go to sleep, and that is due for another try.

    Workloads are not tried again: whoever puts them back would do so every time.
    """
    return tuple(
        key
        for key, note in sorted(record.notes.items())
        if note.why in UNFINISHED and not kind_of(key).workload and now - note.at >= RETRY
    )


def _stage(record: CapacityRecord, stage: int, *, up: bool) -> Iterator[tuple[str, Kind, Saved]]:
    assert record.saved
    for key, saved in record.saved.things.items():
        kind = kind_of(key)
        if (kind.up if up else kind.down) == stage:
            yield key, kind, saved


def _wait(
    waiting: dict[str, str],
    notes: dict[str, Note],
    record: CapacityRecord,
    key: str,
    kind: Kind,
    what: str,
    now: float,
) -> None:
    """Wait for a thing, as long as its kind may take since it was last acted on or first waited for."""
    since = record.tried[key].since if key in record.tried else now
    if now - since > kind.patience:
        notes[key] = Note("slow", f"waited {round(now - since)} s for {what}", now)
    else:
        waiting[key] = what


def _given_up(record: CapacityRecord, key: str, kind: Kind, now: float) -> Note | None:
    """A thing that could not even be set for as long as its kind may take."""
    attempts = record.tried.get(key)
    if attempts is None or attempts.times or now - attempts.since <= kind.patience:
        return None
    return Note("slow", f"could not be set for {round(now - attempts.since)} s", now)


def _brief(state: Fragment) -> str:
    """A fragment in few words: `replicas 3`, `minSize 0, desiredSize 0, maxSize 1`."""
    return ", ".join(f"{name} {value}" for name, value in _leaves(state)) or "nothing"


def _leaves(state: Fragment) -> Iterator[tuple[str, object]]:
    for name, value in state.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield name, "unset" if value is None else value


def _says(seen: ObservedThing) -> str:
    return _brief(seen.state) + (f" ({seen.detail})" if seen.detail else "")


def _by(seen: ObservedThing) -> str:
    return f", last written by {seen.writer}" if seen.writer else ""


def _owner(saved: Saved) -> str:
    if not saved.owner:
        return ""
    return f"; {saved.owner} owns it: let it ignore the field, or annotate the workload to stay awake"
