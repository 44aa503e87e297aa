"""Jobs: run a Pod until enough have succeeded, too many have failed, or the time is up.

Source: kubernetes/kubernetes, pkg/controller/job and ttlafterfinished, told from memory of their rules, not their text.
"""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import (
    CONTROLLER,
    by_owner,
    condition,
    conditions_of,
    is_active,
    is_going,
    owner,
)
from lab.kube.kinds import JOB, POD
from lab.kube.runtime import Object
from lab.kube.writes import Writes, epoch, timestamp

NAME_LABEL = "batch.kubernetes.io/job-name"


def sync(writes: Writes) -> None:
    """Start Pods that are missing, end those whose time is up, report; take away what has been over for long enough."""
    jobs = writes.store.list(JOB)
    pods = by_owner(writes.store, POD) if jobs else {}
    for each in jobs:
        _sync_one(writes, each, pods[each["metadata"]["uid"]])


def deadline_of(value: Object) -> float | None:
    """When the clock alone moves a Job, epoch seconds: its deadline, or the end of its time after its end."""
    spec, status = value["spec"], value.get("status") or {}
    if (ended := _ended_at(value)) is not None:
        kept = spec.get("ttlSecondsAfterFinished")
        return None if kept is None else ended + float(kept)
    if spec.get("suspend") or "startTime" not in status or "activeDeadlineSeconds" not in spec:
        return None
    return epoch(status["startTime"]) + float(spec["activeDeadlineSeconds"])


def _ended_at(value: Object) -> float | None:
    """When a Job ended, well or not, epoch seconds; None for one that has not."""
    ends = [
        epoch(each["lastTransitionTime"])
        for each in conditions_of(value).values()
        if each["type"] in ("Complete", "Failed") and each["status"] == "True"
    ]
    return max(ends, default=None)


def _sync_one(writes: Writes, value: Object, pods: list[Object]) -> None:
    deadline, now = deadline_of(value), writes.now()
    over = deadline is not None and now >= deadline
    if _ended_at(value) is not None:
        if over:
            writes.delete(JOB, value["metadata"]["namespace"], value["metadata"]["name"], CONTROLLER)
        return
    spec, before = value["spec"], value.get("status") or {}
    if spec.get("suspend"):
        _end(writes, pods)
        why = ("JobSuspended", "Job suspended")
        kept = [condition(conditions_of(value).get("Suspended"), "Suspended", True, *why, now)]
        writes.set_status(JOB, value, {"conditions": kept})
        return
    # A Pod that is being deleted, by whomever, has failed: it is replaced only within the limit.
    gone = set((before.get("uncountedTerminatedPods") or {}).get("failed") or [])
    gone |= {pod["metadata"]["uid"] for pod in pods if is_going(pod)}
    alive = [pod for pod in pods if pod["metadata"]["uid"] not in gone]
    phases = [(pod.get("status") or {}).get("phase") for pod in alive]
    done, failed = phases.count("Succeeded"), phases.count("Failed") + len(gone)
    active = sum(map(is_active, alive))
    status: dict[str, Any] = {"active": active, "succeeded": done, "failed": failed}
    if gone:
        status["uncountedTerminatedPods"] = {"failed": sorted(gone)}
    status["startTime"] = before.get("startTime", timestamp(now))
    held = conditions_of(value).get("Suspended")
    made = [condition(held, "Suspended", False, "JobResumed", "Job resumed", now)] if held else []
    if done >= spec["completions"]:
        made.append(condition(None, "Complete", True, "", "", now))
        status["completionTime"] = timestamp(now)
    elif failed > spec["backoffLimit"] or over:
        why = (
            ("DeadlineExceeded", "Job was active longer than specified deadline")
            if over
            else ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        )
        made.append(condition(None, "Failed", True, *why, now))
        _end(writes, pods)
        status["active"] = 0
    else:
        for _ in range(min(spec["parallelism"], spec["completions"] - done) - active):
            _start(writes, value)
    if made:
        status["conditions"] = made
    writes.set_status(JOB, value, {key: part for key, part in status.items() if part})


def _end(writes: Writes, pods: list[Object]) -> None:
    for pod in filter(is_active, pods):
        writes.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"], CONTROLLER)


def _start(writes: Writes, value: Object) -> None:
    template, metadata = value["spec"]["template"], value["metadata"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    body = {
        "metadata": {
            **(template.get("metadata") or {}),
            "name": f"{metadata['name']}-{writes.suffix()}",
            "labels": {**labels, "job-name": metadata["name"], NAME_LABEL: metadata["name"]},
            "ownerReferences": owner(JOB, value),
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }
    writes.create(POD, metadata["namespace"], body, CONTROLLER)
