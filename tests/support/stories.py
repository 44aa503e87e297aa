"""Whole releases, told once for the lab and for virtual time, and how each ends.

A story has what it releases to itself: versions of its own, and of the services what no other story has at the
same time. What it ends with says nothing of how fast time passes, of how many requests came, or of what was
before it; so two engines must end alike to the letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import groupby, pairwise
from typing import Any, Protocol

import msgspec

from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.record import ServiceRecord

# Reasons that tell counts of requests, or times that the lab's catalog shortens.
BY_COUNTS = ("judged", "retired", "promoted")

UNCLEAR = "the judge cannot tell, "
# What a reason has of that, and of names that engines make.
WITHOUT = (
    # How often it was started again until somebody looked is time.
    (r"\d+ restarts?", "restarts"),
    (
        r"(of [\d,]+ requests since its promotion .* were slow, and nothing decided against it|no metrics store .*)$",
        "<seen>",
    ),
    (r".* (?:requests of the canary|of the canary's requests) failed.*", "<counts>"),
    (UNCLEAR, ""),
    (r"\bfor \d+ s$", "for <seconds>"),
    # A Pod that pulls again and again is in one and the other by turns.
    (r"is in (?:ErrImagePull|ImagePullBackOff):", "is in ImagePullBackOff:"),
    # What a container said is its engine's.
    (r"its last words: .*", "its last words: <words>"),
    # On a machine that is far too busy, the last time that it was asked nobody may have answered in time.
    (r"(GET \S+ of the candidate .*) answered (?:\d+|nothing) \(.*\)", r"\1 answered wrongly"),
)
ANOTHER = "product-lead"


class Stage(Protocol):
    """What a story asks of an engine: `tests.support.stage` and `tests.support.scenario`."""

    @property
    def records(self) -> Any: ...
    @property
    def journal(self) -> Any: ...
    def publish(self, service: str, version: str, behaviour: str = "good") -> None: ...
    def start(self, service: str, version: str, **more: Any) -> str: ...
    def ends(self, release: str, machine: str = "Release") -> dict[str, Any]: ...
    def ends_now(self, name: str, machine: str) -> dict[str, Any]: ...
    def comes_to(self, release: str, kind: str) -> Any: ...
    def follows(self, release: str, kind: str) -> None: ...
    def answer(self, release: str, decision: str, person: str) -> tuple[int, Any]: ...
    def approve_all(self, release: str) -> dict[str, Any]: ...
    def stop(self, release: str) -> None: ...
    def roll_back(self, service: str, name: str, **more: Any) -> str: ...
    def start_train(self, versions: Mapping[str, str]) -> str: ...
    def follow_train(self, train: str) -> dict[str, Any]: ...
    def read(self, release: str) -> Release: ...
    def settled(self, service: str, version: str) -> ServiceRecord: ...
    def version(self, service: str) -> str: ...


class Ending(msgspec.Struct, frozen=True):
    """How a release ended, with its timeline, and what its service's record says then.

    `slot` is whether the stable slot is the one of before, and so are `weights`; `bad` is whether the version is
    remembered as bad.
    """

    execution: str
    error: str | None
    status: str
    timeline: list[str]
    version: str
    slot: str
    weights: dict[str, int]
    bad: bool

    def text(self) -> str:
        """All of it, line by line."""
        facts = (self.execution, self.error, self.status, self.version, self.slot, self.weights, self.bad)
        return "\n".join([" ".join(map(str, facts)), *self.timeline, ""])


class Story:
    """Plays on a stage, and writes down how its releases end."""

    def __init__(self, stage: Stage, *services: str) -> None:
        self.stage = stage
        self._before = {service: stage.records.get(service) for service in services}

    def version(self, service: str) -> str:
        """What ran before."""
        return str(self._before[service].stable_version.label)

    def ending(self, release: str, service: str, last: str, stable: str | None = None) -> Ending:
        """How a release ended, up to its last entry of a kind.

        `stable` is what must run then; what ran before unless it is given.
        """
        self.stage.follows(release, last)
        record = self.stage.settled(service, stable or self.version(service))
        run, known = self.stage.ends_now(release, "Release"), self.stage.read(release)
        assert record.stable is not None
        before = self._before[service].stable
        slots = {slot: "before" if slot == before else "other" for slot in record.slots}
        entries = self.stage.journal.entries(release)
        until = max(number for number, entry in enumerate(entries) if entry.kind == last)
        kept = _in_order(_without_chance(entries[: until + 1]))
        told = [self._told(entry, service, slots, release) for entry in kept]
        return Ending(
            execution=run["status"],
            error=run.get("error"),
            status=known.status,
            # Each step judges as often as its windows come.
            timeline=[line for line, _ in groupby(told)],
            version=stable or "before",
            slot=slots[record.stable],
            weights=dict(sorted((slots[slot], weight) for slot, weight in record.desired.items())),
            bad=any(each.image == known.version.image for each in record.bad),
        )

    def _told(self, entry: ReleaseEntry, service: str, slots: Mapping[Any, str], release: str) -> str:
        if entry.kind in BY_COUNTS:
            return entry.kind
        reason = entry.reason.replace(release, "<release>")
        reason = reason.replace(self.version(service), "<version before>")
        reason = re.sub(r"train \S+ failed: ({.*})", _of_execution, reason)
        for slot, name in slots.items():
            reason = re.sub(rf"\bslot {slot}\b", f"<slot {name}>", reason)
            reason = re.sub(rf"{service}-{slot}-[a-z0-9]+-[a-z0-9]+", f"<a pod of {name}>", reason)
            reason = reason.replace(f"{service}-{slot}", f"<deployment {name}>")
        for pattern, plain in WITHOUT:
            reason = re.sub(pattern, plain, reason)
        return f"{entry.kind} by {entry.by}: {reason}"


def _without_chance(entries: list[ReleaseEntry]) -> list[ReleaseEntry]:
    """Whether the judge can tell within its time is chance, and so is whether it looks before a window's end."""
    kept: list[ReleaseEntry] = []
    for number, entry in enumerate(entries):
        unclear = entry.kind == "approval_requested" and UNCLEAR in entry.reason
        if unclear and entries[number + 1].kind == "approved":
            continue
        if entry.kind == "approved" and UNCLEAR in entries[number - 1].reason:
            continue
        # On a machine that is far too busy, a watch may start so late that the reconciler starts another.
        if entry.kind == "resume_watch":
            continue
        # Nor does the reconciler wait there until its rollback has begun.
        again = entry.kind in ("roll_back", "rolling_back")
        if again and any((before.kind, before.reason) == (entry.kind, entry.reason) for before in kept):
            continue
        if entry.kind == "judged" and any(before.kind == "promoted" for before in kept):
            continue
        kept.append(entry)
    return kept


def _in_order(entries: list[ReleaseEntry]) -> list[ReleaseEntry]:
    """Who decides to roll back and the rollback itself write at once: the decision is told first."""
    told = list(entries)
    for number, (one, following) in enumerate(pairwise(told)):
        if (one.kind, following.kind) == ("rolling_back", "roll_back"):
            told[number : number + 2] = [following, one]
    return told


def _of_execution(found: re.Match[str]) -> str:
    """The error and the cause of the train's release that failed, as Step Functions describes its execution."""
    execution = json.loads(found[1])
    cause = re.sub(r"\bslot (blue|green)\b", "<its slot>", execution["Cause"])
    return f"train <train> failed: {execution['Error']}: {cause}"


Play = Callable[[Stage, str], list[Ending]]


def approved(stage: Stage, service: str) -> list[Ending]:
    story = Story(stage, service)
    stage.publish(service, "approved")
    release = stage.start(service, "approved")
    stage.approve_all(release)
    return [story.ending(release, service, "retired", "approved")]


def judged_bad(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, "judged-bad", "often-fails")


def denied(stage: Stage, service: str) -> list[Ending]:
    story = Story(stage, service)
    stage.publish(service, "denied")
    release = stage.start(service, "denied")
    stage.comes_to(release, "approval_requested")
    stage.answer(release, "denied", ANOTHER)
    stage.ends(release)
    return [story.ending(release, service, "rolled_back")]


def unpullable(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, "cannot-be-pulled", "unpullable")


def smoke_fails(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, "no-smoke-test", "smoke-fails")


def stopped(stage: Stage, service: str) -> list[Ending]:
    story = Story(stage, service)
    stage.publish(service, "stopped")
    release = stage.start(service, "stopped")
    stage.comes_to(release, "approval_requested")
    stage.stop(release)
    return [story.ending(release, service, "rolled_back")]


def taken_back(stage: Stage, service: str) -> list[Ending]:
    """By hand, within the window."""
    story = Story(stage, service)
    stage.publish(service, "taken-back")
    release = stage.start(service, "taken-back")
    stage.approve_all(release)
    stage.ends(stage.roll_back(service, f"{release}-by-hand"), "Rollback")
    return [story.ending(release, service, "rolled_back")]


def two_at_once(stage: Stage, service: str) -> list[Ending]:
    story = Story(stage, service)
    stage.publish(service, "first")
    stage.publish(service, "second")
    first = stage.start(service, "first", name=f"{service}-the-first")
    stage.comes_to(first, "approval_requested")
    second = stage.start(service, "second")
    stage.ends(second)
    stage.answer(first, "denied", ANOTHER)
    stage.ends(first)
    return [story.ending(first, service, "rolled_back"), story.ending(second, service, "refused")]


def same_again(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, stage.version(service), last="refused")


def in_place(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, "in-place", last="window_closed", stable="in-place")


def in_place_fails(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, "crashes", "crash")


def blue_green(stage: Stage, service: str) -> list[Ending]:
    return _ends_by_itself(stage, service, "blue-green", last="retired", stable="blue-green")


def train_arrives(stage: Stage, service: str) -> list[Ending]:
    return _train(stage, {"website": "good", "api-gateway": "good", "backend-api": "good"}, "arrives")


def train_fails(stage: Stage, service: str) -> list[Ending]:
    return _train(stage, {"website": "smoke-fails", "api-gateway": "good", "backend-api": "good"}, "fails")


def _ends_by_itself(
    stage: Stage,
    service: str,
    version: str,
    behaviour: str = "good",
    *,
    last: str = "rolled_back",
    stable: str | None = None,
) -> list[Ending]:
    story = Story(stage, service)
    if version != story.version(service):
        stage.publish(service, version, behaviour)
    release = stage.start(service, version)
    stage.ends(release)
    return [story.ending(release, service, last, stable)]


def _train(stage: Stage, cars: Mapping[str, str], label: str) -> list[Ending]:
    story = Story(stage, *cars)
    for service, behaviour in cars.items():
        stage.publish(service, label, behaviour)
    train = stage.start_train(dict.fromkeys(cars, label))
    arrived = stage.follow_train(train)["status"] == "SUCCEEDED"
    last, stable = ("promoted", label) if arrived else ("rolled_back", None)
    return [story.ending(f"{train}-{service}", service, last, stable) for service in cars]


# Environment, service (a train has all) and how it goes; told in this order where they share a service.
STORIES: list[tuple[str, str, Play]] = [
    ("production", "backend-api", judged_bad),
    ("production", "backend-api", approved),
    ("production", "backend-api", same_again),
    ("production", "api-gateway", unpullable),
    ("production", "api-gateway", smoke_fails),
    ("production", "api-gateway", denied),
    ("production", "api-gateway", stopped),
    ("production", "website", two_at_once),
    ("production", "website", taken_back),
    ("development", "backend-api", in_place),
    ("development", "backend-api", in_place_fails),
    ("staging", "backend-api", blue_green),
    ("staging", "", train_fails),
    ("staging", "", train_arrives),
]
