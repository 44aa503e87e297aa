"""Jobs of releases in the explored cluster: who made them, how often each has begun, how they ended. Values."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NamedTuple

from candlefish.adapters.kubernetes.messages import ApiResponse
from candlefish.release.manifests.model import RELEASE_NOTE
from tests.exploration.cluster import Asked, Stored, ask, changed, reported
from tests.exploration.subject import NAMESPACE, decode, encode

# Steps of the explored plan: one before anything of the version runs, one when nothing else is left to do.
MIGRATE, WARM = "migrate", "warm"
# Seconds that a Job has: longer than a rollback takes, so that the next release may meet it.
WITHIN = 100.0
# What a Job that has to end at once is given, in seconds (`Cluster.stop_job`).
AT_ONCE = 1

End = Literal["complete", "failed"]


class Job(NamedTuple):
    """The Jobs of one name: the object as it is now, and what became of it and of those before it."""

    name: str
    stored: Stored = Stored()
    # The release and the step that it was made for.
    release: str = ""
    step: str = ""
    # How often the API made one, how often a Pod of one began, and how often somebody deleted one.
    made: int = 0
    began: int = 0
    deleted: int = 0
    # Since when its Pod runs; 0 when none does.
    since: float = 0.0
    ended: End | None = None


Jobs = tuple[Job, ...]


def request(jobs: Jobs, asked: Asked, clock: float) -> tuple[Jobs, ApiResponse]:
    """The Jobs after a request, and the API's answer."""
    if not asked.name:
        items = [decode(job.stored.body) for job in jobs if job.stored.body]
        return jobs, ApiResponse(200, encode({"items": items}))
    before = next((job for job in jobs if job.name == asked.name), Job(asked.name))
    stored, answer = ask(before.stored, asked, NAMESPACE)
    if stored == before.stored:
        return jobs, answer
    return _with(jobs, _controlled(before, stored, clock)), answer


def ends(jobs: Jobs, job: Job, how: End) -> Jobs:
    """A Job's Pod ends."""
    return _with(jobs, _ended(job, how))


def deleted(jobs: Jobs, release: str) -> Jobs:
    """Somebody deletes the Jobs of a release, and their Pods with them."""
    for job in jobs:
        if job.release == release and job.stored.body:
            gone = changed(job.stored, "jobs", NAMESPACE, None)
            jobs = _with(jobs, job._replace(stored=gone, since=0.0, deleted=job.deleted + 1))
    return jobs


def suspended(jobs: Jobs, release: str, clock: float) -> Jobs:
    """Somebody suspends the Jobs of a release: their Pods go."""
    for job in jobs:
        if job.release == release and job.stored.body:
            stored = changed(job.stored, "jobs", NAMESPACE, {"suspend": True})
            jobs = _with(jobs, _controlled(job, stored, clock))
    return jobs


def passed(jobs: Jobs, to: float) -> Jobs:
    """The Jobs at a later time: the cluster ends those whose time is over."""
    for job in jobs:
        if job.since and to - job.since >= _spec(job.stored)["activeDeadlineSeconds"]:
            jobs = _with(jobs, _ended(job, "failed"))
    return jobs


def deadlines(jobs: Jobs) -> set[float]:
    """When the time of Jobs that run is over, and a moment before: their release is late first."""
    over = {job.since + WITHIN for job in jobs if job.since}
    return over | {at - 1 for at in over}


def is_complete(jobs: Jobs, release: str, step: str) -> bool:
    """Whether a Job of that release's step has ended well."""
    return any(job.ended == "complete" for job in jobs if (job.release, job.step) == (release, step))


def _with(jobs: Jobs, job: Job) -> Jobs:
    return tuple(sorted((*(each for each in jobs if each.name != job.name), job)))


def _controlled(before: Job, stored: Stored, clock: float) -> Job:
    """What the cluster does about a Job that was written: its Pods are never behind."""
    job = before._replace(stored=stored)
    if not before.stored.body:
        release = decode(stored.body)["metadata"]["annotations"][RELEASE_NOTE]
        step = next(step for step in (MIGRATE, WARM) if f"-{step}-" in job.name)
        job = job._replace(release=release, step=step, made=job.made + 1)
    spec = _spec(stored)
    if _is_over(stored) or spec["suspend"]:
        return job._replace(since=0.0)
    if not job.since:
        job = job._replace(began=job.began + 1, since=clock)
    return _ended(job, "failed") if spec["activeDeadlineSeconds"] == AT_ONCE else job


def _ended(job: Job, how: End) -> Job:
    condition = {"type": {"complete": "Complete", "failed": "Failed"}[how], "status": "True"}
    stored = reported(job.stored, "jobs", NAMESPACE, {"conditions": [condition]})
    return job._replace(stored=stored, since=0.0, ended=how)


@cache
def _spec(stored: Stored) -> dict[str, Any]:
    found: dict[str, Any] = decode(stored.body)["spec"]
    return found


@cache
def _is_over(stored: Stored) -> bool:
    return bool((decode(stored.body).get("status") or {}).get("conditions"))
