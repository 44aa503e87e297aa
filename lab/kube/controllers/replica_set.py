"""ReplicaSets: as many Pods as asked for."""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import (
    CONTROLLER,
    Settled,
    by_owner,
    condition,
    conditions_of,
    is_active,
    is_ready,
    owner,
)
from lab.kube.kinds import POD, REPLICA_SET
from lab.kube.problems import ApiError
from lab.kube.runtime import Object
from lab.kube.writes import Writes


def sync(writes: Writes, settled: Settled) -> None:
    """Create and delete Pods, then report."""
    pods, every = by_owner(writes.store, POD), writes.store.list(REPLICA_SET)
    settled.keep(every)
    for each in every:
        owned = pods[each["metadata"]["uid"]]
        # What was refused is tried again: others may have gone, or a quota been raised.
        if not settled.has(each, *owned) or "ReplicaFailure" in conditions_of(each):
            _sync_one(writes, each, [pod for pod in owned if is_active(pod)])


def _sync_one(writes: Writes, value: Object, active: list[Object]) -> None:
    wanted, failure = value["spec"]["replicas"], ""
    for _ in range(wanted - len(active)):
        pod = _new_pod(value, writes.suffix())
        try:
            active.append(writes.create(POD, value["metadata"]["namespace"], pod, CONTROLLER))
        except ApiError as error:
            # Without the name that was made up: what is refused again for the same reason changes nothing.
            failure = error.message.replace(pod["metadata"]["name"], f"{value['metadata']['name'][:240]}-")
            break
    for pod in sorted(active, key=_worth)[: max(0, len(active) - wanted)]:
        writes.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"], CONTROLLER)
        active = [each for each in active if each is not pod]
    writes.set_status(REPLICA_SET, value, _status(writes, value, active, failure))


def _worth(pod: Object) -> tuple[bool, bool, float]:
    """Least worth keeping first: without a node, not ready, newest."""
    made = int(pod["metadata"]["resourceVersion"])
    return "nodeName" in pod["spec"], is_ready(pod), -made


def _new_pod(value: Object, suffix: str) -> Object:
    template, metadata = value["spec"]["template"], value["metadata"]
    return {
        "metadata": {
            **(template.get("metadata") or {}),
            "name": f"{metadata['name'][:240]}-{suffix}",
            "namespace": metadata["namespace"],
            "ownerReferences": owner(REPLICA_SET, value),
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def _status(writes: Writes, value: Object, active: list[Object], failure: str) -> dict[str, Any]:
    ready = sum(map(is_ready, active))
    counts = {"readyReplicas": ready, "availableReplicas": ready, "fullyLabeledReplicas": len(active)}
    made: dict[str, Any] = {
        "replicas": len(active),
        "observedGeneration": value["metadata"]["generation"],
        **{name: count for name, count in counts.items() if count},
    }
    if failure:
        before = conditions_of(value).get("ReplicaFailure")
        made["conditions"] = [
            condition(before, "ReplicaFailure", True, "FailedCreate", failure, writes.now())
        ]
    return made
