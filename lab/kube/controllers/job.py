"""Jobs: run a Pod until enough have succeeded or too many have failed."""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import CONTROLLER, by_owner, condition, conditions_of, is_active, owner
from lab.kube.kinds import JOB, POD
from lab.kube.runtime import Object
from lab.kube.writes import Writes


def sync(writes: Writes) -> None:
    """Start Pods that are missing, then report."""
    pods = by_owner(writes.store, POD)
    for each in writes.store.list(JOB):
        _sync_one(writes, each, pods[each["metadata"]["uid"]])


def _sync_one(writes: Writes, value: Object, pods: list[Object]) -> None:
    before = conditions_of(value)
    if "Complete" in before or "Failed" in before:
        return
    spec, now = value["spec"], writes.now()
    phases = [(pod.get("status") or {}).get("phase") for pod in pods]
    done, failed, active = phases.count("Succeeded"), phases.count("Failed"), sum(map(is_active, pods))
    status: dict[str, Any] = {"active": active, "succeeded": done, "failed": failed}
    if done >= spec["completions"]:
        status["conditions"] = [condition(None, "Complete", True, "", "", now)]
    elif failed > spec["backoffLimit"]:
        why = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        status["conditions"] = [condition(None, "Failed", True, *why, now)]
    else:
        for _ in range(min(spec["parallelism"], spec["completions"] - done) - active):
            _start(writes, value)
    writes.set_status(JOB, value, {key: part for key, part in status.items() if part})


def _start(writes: Writes, value: Object) -> None:
    template, metadata = value["spec"]["template"], value["metadata"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    body = {
        "metadata": {
            **(template.get("metadata") or {}),
            "name": f"{metadata['name']}-{writes.suffix()}",
            "labels": {**labels, "job-name": metadata["name"]},
            "ownerReferences": owner(JOB, value),
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }
    writes.create(POD, metadata["namespace"], body, CONTROLLER)
