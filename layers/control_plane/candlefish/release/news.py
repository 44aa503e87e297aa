"""The words of releases: which entries of a timeline are events on the bus, and what people read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from candlefish.again import AGAIN

if TYPE_CHECKING:
    # Who tells people needs the words alone.
    from candlefish.release.model import Release, ReleaseEntry


class ReleaseNews(msgspec.Struct, frozen=True):
    """How an event reads. Templates take the event's detail; `command` is what to type next."""

    title: str
    tone: Literal["good", "info", "warning", "bad"]
    command: str = ""
    # A release ends with it: told once, also when its execution's end says the same.
    ends: bool = False
    # It is said for as long as it lasts: told once, and again after an hour.
    lasts: bool = False


STATUS_COMMAND = "candlefish status {service} -e {environment}"
BACK_COMMAND = 'candlefish rollback {service} -e {environment} --reason "..."'
WATCH_COMMAND = "candlefish watch {release} -e {environment}"
# kind of entry -> what people read.
NEWS: dict[str, ReleaseNews] = {
    "started": ReleaseNews("Release of {service} {version} to {environment} started", "info", WATCH_COMMAND),
    "held": ReleaseNews("Release of {service} {version} to {environment} is held", "warning", STATUS_COMMAND),
    "paused": ReleaseNews(
        "Release of {service} {version} to {environment} was paused",
        "warning",
        "candlefish resume {release} -e {environment}",
    ),
    "promote_now": ReleaseNews(
        "Release of {service} {version} to {environment} is promoted now", "warning", WATCH_COMMAND
    ),
    "resumed": ReleaseNews("Release of {service} {version} to {environment} goes on", "info", WATCH_COMMAND),
    "experiment": ReleaseNews(
        "Release of {service} {version} to {environment} makes an experiment", "warning", WATCH_COMMAND
    ),
    "experiment_ended": ReleaseNews(
        "Release of {service} {version} to {environment}: the experiment is over", "info", WATCH_COMMAND
    ),
    "approval_requested": ReleaseNews(
        "Release of {service} {version} to {environment} waits for approval",
        "warning",
        "candlefish approve {release} -e {environment} --question {question}",
    ),
    "approval_given": ReleaseNews(
        "Release of {service} {version} to {environment} was approved by one of two people",
        "info",
        "candlefish status {release} -e {environment}",
    ),
    "approved": ReleaseNews("Release of {service} {version} to {environment} was approved", "info"),
    "denied": ReleaseNews("Release of {service} {version} to {environment} was denied", "warning"),
    "promoted": ReleaseNews("{service} {version} is live in {environment}", "good", BACK_COMMAND),
    "rolling_back": ReleaseNews(
        "{service} {version} in {environment} is being rolled back", "bad", STATUS_COMMAND
    ),
    "rolled_back": ReleaseNews(
        "{service} {version} in {environment} was rolled back", "bad", STATUS_COMMAND, ends=True
    ),
    "traffic_left": ReleaseNews(
        "{service} in {environment} has nothing to go back to; users stay on {version}", "bad", STATUS_COMMAND
    ),
    "capacity_left": ReleaseNews(
        "{service} {version} in {environment} was rolled back; its Pods are left", "warning", STATUS_COMMAND
    ),
    "not_restored": ReleaseNews(
        "{service} in {environment} was rolled back, and the good version does not run", "bad", STATUS_COMMAND
    ),
    "rollback_refused": ReleaseNews(
        "{service} in {environment} could not be rolled back", "bad", STATUS_COMMAND
    ),
    "refused": ReleaseNews(
        "Release of {service} {version} to {environment} was refused", "warning", ends=True
    ),
    "superseded": ReleaseNews(
        "Release of {service} {version} to {environment} was superseded", "info", STATUS_COMMAND
    ),
    # What the reconciler does in the place of an execution that is gone; every minute, should it go again.
    "roll_back": ReleaseNews(
        "{service} {version} in {environment} is rolled back: whoever released it is gone",
        "bad",
        STATUS_COMMAND,
        lasts=True,
    ),
    "resume_rollback": ReleaseNews(
        "The rollback of {service} {version} in {environment} had stopped and goes on",
        "warning",
        STATUS_COMMAND,
        lasts=True,
    ),
    "resume_watch": ReleaseNews(
        "Nobody watched over {service} {version} in {environment}; it is watched again",
        "warning",
        STATUS_COMMAND,
        lasts=True,
    ),
    "drift_repaired": ReleaseNews(
        "Somebody changed the traffic of {service} in {environment}; it was put back", "warning"
    ),
    "cluster_repaired": ReleaseNews(
        "{service} in {environment} did not run as recorded; it was put right", "warning", STATUS_COMMAND
    ),
}
# Events that are no news for people.
# People hear of a record that was made again by an event of its own, also where no release is known any more.
QUIET = frozenset({"shifted", "judged", "window_closed", "record_rebuilt"})
# Entries that are events on the bus as well, as `release.<kind>`.
PUBLISHED = frozenset({*NEWS, *QUIET})


# What is found about records that only a person can put right.
RecordFinding = Literal[
    "record-unreadable",
    "record-older-than-world",
    "record-missing",
    "record-differs",
    "drift-not-repaired",
    "automation-off",
    "rule-in-front",
    "load-balancer-changed",
    "rollback-overdue",
    "cluster-differs",
]


def record_finding(
    name: RecordFinding, environment: str, service: str, summary: str, now: float
) -> tuple[str, dict[str, Any]]:
    """A finding (kind and detail) about what only a person can put right: a new one each hour, while it lasts.

    So it needs no place of its own in which to remember when people were told: the guard tells a finding once.
    """
    detail = {
        "name": name,
        "status": "firing",
        "started_at": now // AGAIN * AGAIN,
        "labels": {"environment": environment, "service": service, "category": "record"},
        "summary": summary,
    }
    return "finding", detail


def rebuilt_event(
    environment: str, service: str, why: str, by: str, now: float
) -> tuple[str, dict[str, Any]]:
    """That a person had a record made again from what the world shows."""
    return "record.rebuilt", {
        "environment": environment,
        "service": service,
        "title": f"The record of {service} in {environment} was made again",
        "reason": why,
        "tone": "warning",
        "by": by,
        "at": now,
        "command": STATUS_COMMAND.format(service=service, environment=environment),
    }


def freeze_event(
    kind: Literal["asked", "lifted"], environment: str, what: str, why: str, *, by: str, at: float
) -> tuple[str, dict[str, Any]]:
    """That a person froze releases at once, or lifted that."""
    state = "frozen" if kind == "asked" else "frozen no more"
    return f"freeze.{kind}", {
        "environment": environment,
        "title": f"Releases of {what} in {environment} are {state}",
        "reason": why,
        "tone": "warning" if kind == "asked" else "info",
        "by": by,
        "at": at,
        "command": f"candlefish freeze -e {environment}",
    }


def release_event(release: Release, entry: ReleaseEntry) -> tuple[str, dict[str, Any]]:
    """The event `release.<kind>` of an entry, and its detail."""
    detail = {
        "release": release.id,
        "environment": release.environment,
        "service": release.service,
        "version": release.version.short,
        "image": release.version.image,
        "requested_by": release.requested_by,
        "status": release.status,
        **msgspec.to_builtins(entry),
    }
    return f"release.{entry.kind}", detail
