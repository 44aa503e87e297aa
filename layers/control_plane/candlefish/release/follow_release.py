"""Tell GitHub how a release stands that one of its workflows asked for, so that no job has to wait for it.

An event is only a reason to look: what is told is how the release stands now. Events come late, twice and in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from candlefish.bounds import fit_line
from candlefish.errors import Unavailable
from candlefish.release.journal import STATUS
from candlefish.release.model import CommitState, DeploymentState, Progress, Release, ReleaseEntry, Status
from candlefish.release.ports import CodeHost, JournalStore

# https://docs.github.com/en/rest/deployments/statuses and .../rest/commits/statuses
STATES: dict[Status, tuple[DeploymentState, CommitState]] = {
    "running": ("in_progress", "pending"),
    "held": ("in_progress", "pending"),
    "awaiting_approval": ("pending", "pending"),
    "promoted": ("success", "success"),
    "rolling_back": ("failure", "failure"),
    "rolled_back": ("failure", "failure"),
    "refused": ("error", "error"),
}
# What both take as a description, in characters.
LONGEST = 140
# How often a release may change while it is being told.
LOOKS = 4


class NewsOfRelease(msgspec.Struct, frozen=True):
    """What of an event's detail matters here."""

    release: str = ""


class FollowedEvent(msgspec.Struct, frozen=True):
    """An event `release.*` of the bus."""

    detail: NewsOfRelease


class FollowResult(msgspec.Struct, frozen=True):
    """What GitHub was told last; empty where there was nobody to tell."""

    told: str = ""


def follow_release(
    event: FollowedEvent, *, journal: JournalStore, host: CodeHost, words: Callable[[Release], str]
) -> FollowResult:
    """Tell how the release of an event stands; what has changed by then is told as well.

    `words` says a release as everybody sees it, empty where that is not known: then its status and reason stand.

    Raises
    ------
    Unavailable, Throttled
        GitHub or the table does not answer, or the release changes faster than it can be told; look again.
    Misconfigured
        GitHub refuses for good; the message says what to mend.
    """
    if not event.detail.release:
        # An event about a service, by nobody's release.
        return FollowResult()
    release = journal.read(event.detail.release)
    if not (release.proof.get("repository") and release.proof.get("sha")):
        return FollowResult()
    for _ in range(LOOKS):
        host.tell(progress_of(release, journal.entries(release.id), words(release)))
        # Two of us may tell at once, and the one that looked first may be the last to tell.
        now = journal.read(release.id)
        if now.status == release.status:
            return FollowResult(release.status)
        release = now
    raise Unavailable(f"release {release.id} changes faster than GitHub can be told; look again")


def progress_of(release: Release, entries: Sequence[ReleaseEntry], says: str = "") -> Progress:
    """How a release of a workflow stands: in GitHub's words, and in a sentence; without one by what brought it there."""
    deployment, commit = STATES[release.status]
    brought = [entry.reason for entry in entries if STATUS.get(entry.kind) == release.status]
    why = f": {brought[-1]}" if brought else ""
    return Progress(
        repository=release.proof["repository"],
        sha=release.proof["sha"],
        run=release.proof.get("run_id", ""),
        environment=release.environment,
        service=release.service,
        release=release.id,
        deployment=deployment,
        commit=commit,
        says=fit_line(says or f"{release.status.replace('_', ' ')}{why}", LONGEST),
    )
