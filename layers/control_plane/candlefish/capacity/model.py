"""What the control plane sees of an environment's capacity, and what it remembers of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.capacity.kinds import Fragment
from candlefish.requester import Asked

State = Literal["awake", "asleep"]
OverrideKind = Literal["wake", "sleep", "keep_awake", "freeze"]
Phase = Literal["awake", "going_down", "asleep", "waking"]


class ObservedThing(msgspec.Struct, frozen=True):
    """One thing as the world shows it now."""

    state: Fragment
    # The world is still following an earlier request; asking again would be refused or wasted.
    busy: bool = False
    # Nothing of it runs any more (no Pods, no nodes, a stopped database).
    empty: bool = True
    # All of it works (Pods ready, nodes joined, a database that takes connections).
    ready: bool = True
    # The world's own words for what is missing.
    detail: str = ""
    # Something beside us moves its size on purpose (HPA, KEDA).
    autoscaled: bool = False
    # The GitOps application that owns it ("Argo CD: shop"), and who last wrote what parking changes.
    owner: str = ""
    writer: str = ""
    # Kubernetes resourceVersion: what we write counts only if nobody wrote since.
    version: str = ""


ObservedThings = dict[str, ObservedThing]


class CapacitySight(msgspec.Struct, frozen=True):
    """Everything that was seen, and what an operator should know about what will not sleep.

    What was saved is looked for among all `things`: somebody may annotate a workload to stay awake
    while it sleeps, and it must be restored all the same.
    """

    things: ObservedThings
    # key -> why it is left alone; empty for what is none of the environment's business.
    left_alone: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class Saved(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one thing was before the environment went to sleep, and what it is while asleep."""

    original: Fragment
    parked: Fragment
    autoscaled: bool = False
    # It worked before, so waking must bring it back working.
    ready: bool = True
    owner: str = ""


class Sleep(msgspec.Struct, frozen=True):
    """The originals of one sleep: written once, cleared when all are restored (invariant I6)."""

    generation: int
    at: float
    things: dict[str, Saved]


class Tried(msgspec.Struct, frozen=True):
    """How often a thing was acted on in this run, and since when it is waited for."""

    times: int
    since: float


class Note(msgspec.Struct, frozen=True):
    """Something about a thing that a person should know.

    - `changed`: somebody changed it; it is left as it is.
    - `missing`: it is gone.
    - `resisted`: it did not stay as it was set, `refused`: the API said no, `slow`: it took too long.
    """

    why: Literal["changed", "missing", "resisted", "refused", "slow"]
    detail: str
    at: float


# Notes that say "not done": a later run tries again. The others are final for this sleep.
UNFINISHED = frozenset({"resisted", "refused", "slow"})


class ScheduleOverride(msgspec.Struct, frozen=True):
    """What somebody asked for until a time. Times are epoch seconds; it holds in [since, until)."""

    kind: OverrideKind
    since: float
    until: float
    by: str
    reason: str


class Nap(msgspec.Struct, frozen=True):
    """A stretch of time asleep, for the savings report."""

    start: float
    end: float


class Queued(msgspec.Struct, frozen=True, omit_defaults=True):
    """A release, or a whole train, that somebody asked for while the environment slept."""

    release: str
    payload: dict[str, Any]
    at: float
    machine: Literal["release", "train"] = "release"
    # Who asked for it, which the execution that it waits for has to know too.
    asked: Asked | None = None


class RunningTrain(msgspec.Struct, frozen=True):
    """A train that was let in; the environment stays awake for as long as its execution runs."""

    train: str
    execution: str


class CapacityRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything the control plane remembers of one environment's capacity. Times are epoch seconds."""

    environment: str
    revision: int = 0
    # Fencing token: bumped whenever the goal turns.
    generation: int = 0
    goal: State = "awake"
    goal_at: float = 0.0
    phase: Phase = "awake"
    phase_at: float = 0.0
    reason: str = ""
    by: str = ""
    # How many executions of the machine were started for this generation, and the newest.
    runs: int = 0
    execution: str = ""
    saved: Sleep | None = None
    tried: dict[str, Tried] = {}
    notes: dict[str, Note] = {}
    # Databases: when each was found stopped. AWS starts them after seven days.
    stopped: dict[str, float] = {}
    overrides: tuple[ScheduleOverride, ...] = ()
    queue: tuple[Queued, ...] = ()
    trains: tuple[RunningTrain, ...] = ()
    naps: tuple[Nap, ...] = ()
    # Since when releases keep the environment awake past its hours.
    postponed_since: float = 0.0
    # Costs: the month for which the guard sent the environment to sleep, like "2026-11".
    guarded: str = ""
