"""Jobs of a release: how far one is, and what to do about it, so that it never runs twice. Pure.

A Job is made suspended, written down in the record, and only then let run. So of one that is not there any more it is
known whether it can have run: not while nothing is written down. Its name follows from release and step, and it stays
for `KEPT` seconds after its end, far longer than any writer of ours lives: a late write meets it and makes no second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from candlefish.names import bounded_name, mark_of
from candlefish.release.manifests.model import LET_RUN_NOTE
from candlefish.release.model import Culprit, JobSeen
from candlefish.release.pods import Condition, Meta, Pod, Read, log_tail, trouble_of
from candlefish.service.model import StartedJob

# What Kubernetes takes as a Job's name: its Pods have it as a label.
LONGEST_NAME = 63


class JobMeta(Meta, frozen=True):
    annotations: dict[str, str] = {}


class JobSpec(Read, frozen=True):
    suspend: bool = False


class JobStatus(Read, frozen=True):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    conditions: tuple[Condition, ...] = ()


class JobObject(Read, frozen=True):
    """A Job of the API, as far as is looked at."""

    metadata: JobMeta = JobMeta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobStep(msgspec.Struct, frozen=True):
    """What to do about a Job at one look, and why."""

    action: Literal["make", "note", "let_run", "wait", "done", "stop", "failed", "ask"]
    reason: str


def job_name(service: str, job: str, release: str) -> str:
    """What the Job of a release's step is called in the cluster: the same however often it is looked at."""
    return bounded_name(service, job, mark_of(service, job, release), longest=LONGEST_NAME)


def judge_job(job: JobObject, pods: Sequence[Pod]) -> JobSeen:
    """How far a Job is, as the cluster tells."""
    conditions = {each.type: each for each in job.status.conditions if each.status == "True"}
    let_run = LET_RUN_NOTE in job.metadata.annotations
    words, culprit = _of_pods(pods)
    seen = JobSeen(
        job.metadata.uid,
        "running",
        let_run=let_run,
        suspended=job.spec.suspend,
        culprit=culprit,
        log=_log_of(pods),
    )
    if "Complete" in conditions:
        return msgspec.structs.replace(seen, state="complete", reason="its Pod ended with exit code 0")
    if failed := conditions.get("Failed"):
        said = words or failed.message or failed.reason or "the cluster does not say why"
        if failed.reason == "DeadlineExceeded":
            said = f"it was stopped at its deadline{'; ' + words if words else ''}"
        return msgspec.structs.replace(seen, state="failed", reason=said)
    hopeless = next((t for pod in pods if (t := trouble_of(pod)) and t.hopeless), None)
    if hopeless:
        return msgspec.structs.replace(seen, reason=hopeless.words, hopeless=True)
    if job.spec.suspend:
        return msgspec.structs.replace(seen, reason="it is suspended")
    waits = next((t for pod in pods if pod.status.phase == "Pending" and (t := trouble_of(pod))), None)
    return msgspec.structs.replace(seen, reason=waits.words if waits else "its Pod runs")


def _of_pods(pods: Sequence[Pod]) -> tuple[str, Culprit | None]:
    """Why the Pods of a Job that failed did, and whose log says more."""
    for pod in pods:
        where = f"Pod {pod.metadata.name}"
        for each in pod.status.container_statuses:
            ended = each.state.terminated or each.last_state.terminated
            if ended and ended.exit_code:
                killed = (
                    ", OOMKilled: it needs more memory than its limit" if ended.reason == "OOMKilled" else ""
                )
                words = f"container {each.name} of {where} ended with exit code {ended.exit_code}{killed}"
                return words, Culprit(pod.metadata.name, each.name)
        if pod.status.phase == "Failed":
            # No container says so itself: evicted, preempted, its node was lost.
            said = f" ({pod.status.message})" if pod.status.message else ""
            return f"{where} was ended: {pod.status.reason or 'no reason given'}{said}", None
    ended_well = (
        Culprit(pod.metadata.name, pod.status.container_statuses[0].name)
        for pod in pods
        if pod.status.phase == "Succeeded" and pod.status.container_statuses
    )
    return "", next(ended_well, None)


def _log_of(pods: Sequence[Pod]) -> str:
    """What kubelet kept of the end of a log."""
    ended = (
        each.state.terminated
        for pod in pods
        for each in pod.status.container_statuses
        if each.state.terminated
    )
    return next((tail for each in ended if (tail := log_tail(each.message))), "")


def next_of_job(
    seen: JobSeen | None, noted: StartedJob | None, others: Sequence[str], *, late: bool, within: float
) -> JobStep:
    """What to do about a Job (pure). `noted` is what the record says of it, `others` the service's other Jobs that run."""
    if seen is None or (noted and noted.uid != seen.uid):
        if noted:
            return JobStep(
                "ask", f"it was started, and is not there any more ({noted.name}): how it ended is not known"
            )
        if late:
            return JobStep("failed", f"it was not started within {within:.0f} s")
        return JobStep("make", "it is not there yet")
    if seen.state == "complete":
        return JobStep("done", seen.reason)
    if seen.state == "failed":
        return JobStep("failed", seen.reason)
    if late and not seen.let_run:
        why = f"; {', '.join(others)} of an earlier release was at work all the time" if others else ""
        return JobStep("failed", f"it was not begun within {within:.0f} s{why}")
    if late or seen.hopeless:
        why = seen.reason if seen.hopeless else f"it did not end within {within:.0f} s ({seen.reason})"
        return JobStep("stop", why)
    if not seen.let_run:
        if others:
            return JobStep("wait", f"{', '.join(others)} of an earlier release is still at work")
        return JobStep("let_run" if noted else "note", "it is made, and has not begun")
    if seen.suspended:
        return JobStep("stop", "somebody suspended it in the middle; going on would run it twice")
    return JobStep("wait", seen.reason)
