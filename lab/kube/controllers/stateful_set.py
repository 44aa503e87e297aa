"""StatefulSets: Pods with numbers, as many as asked for. A changed template waits for new Pods."""

from __future__ import annotations

from lab.kube.controllers.objects import CONTROLLER, by_owner, is_active, is_ready, owner
from lab.kube.kinds import POD, STATEFUL_SET
from lab.kube.runtime import Object
from lab.kube.writes import Writes


def sync(writes: Writes) -> None:
    """Create and delete numbered Pods, then report."""
    pods = by_owner(writes.store, POD)
    for each in writes.store.list(STATEFUL_SET):
        _sync_one(writes, each, pods[each["metadata"]["uid"]])


def _sync_one(writes: Writes, value: Object, pods: list[Object]) -> None:
    metadata, wanted = value["metadata"], value["spec"]["replicas"]
    held = {pod["metadata"]["name"]: pod for pod in pods}
    names = [f"{metadata['name']}-{number}" for number in range(wanted)]
    for name in names:
        if name not in held:
            held[name] = writes.create(POD, metadata["namespace"], _new_pod(value, name), CONTROLLER)
    for name, pod in held.items():
        if name not in names and is_active(pod):
            writes.delete(POD, metadata["namespace"], name, CONTROLLER)
    active = [pod for name, pod in held.items() if name in names and is_active(pod)]
    ready = sum(map(is_ready, active))
    counts = {"readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": len(active)}
    status = {name: count for name, count in counts.items() if count}
    observed = {"replicas": len(active), "observedGeneration": metadata["generation"]}
    writes.set_status(STATEFUL_SET, value, {**status, **observed})


def _new_pod(value: Object, name: str) -> Object:
    template, metadata = value["spec"]["template"], value["metadata"]
    return {
        "metadata": {
            **(template.get("metadata") or {}),
            "name": name,
            "namespace": metadata["namespace"],
            "ownerReferences": owner(STATEFUL_SET, value),
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }
