"""StatefulSets: Pods with numbers, one after another, each with its own claims; a changed template from the top down.

Source: kubernetes.io, StatefulSets (deployment and scaling guarantees, rolling updates, forced rollback) and
pkg/controller/statefulset, told from memory of its rules, not its text. Templates before are not kept, so a Pod that is
made again has the newest one whatever its number and the partition.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lab.kube.controllers.objects import CONTROLLER, by_owner, is_active, is_going, is_ready, owner
from lab.kube.kinds import CLAIM, POD, STATEFUL_SET
from lab.kube.runtime import Object
from lab.kube.writes import Writes

HASH_LABEL = "controller-revision-hash"
NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


def sync(writes: Writes) -> None:
    """Move every StatefulSet a step, then report."""
    pods = by_owner(writes.store, POD)
    for each in writes.store.list(STATEFUL_SET):
        _sync_one(writes, each, pods[each["metadata"]["uid"]])


def _sync_one(writes: Writes, value: Object, pods: list[Object]) -> None:
    newest = _revision(value)
    held = {_number(value, pod): pod for pod in pods}
    if _make(writes, value, newest, held) and _take(writes, value, held):
        _replace(writes, value, newest, held)
    now = {_number(value, pod): pod for pod in by_owner(writes.store, POD)[value["metadata"]["uid"]]}
    writes.set_status(STATEFUL_SET, value, _status(value, newest, now))


def _make(writes: Writes, value: Object, newest: str, held: dict[int, Object]) -> bool:
    """Make what is missing, from the lowest number up; whether all that are asked for are there and may be gone on from."""
    namespace = value["metadata"]["namespace"]
    for number in range(value["spec"]["replicas"]):
        pod = held.get(number)
        if pod is not None and not is_going(pod) and not is_active(pod):
            writes.delete(POD, namespace, pod["metadata"]["name"], CONTROLLER)
            return False
        if pod is None:
            _claim(writes, value, number)
            held[number] = writes.create(POD, namespace, _new_pod(value, number, newest), CONTROLLER)
            if _in_order(value):
                return False
        elif _in_order(value) and not (is_active(pod) and is_ready(pod)):
            # Of whatever template it is: this is what keeps a broken Pod for ever.
            return False
    return True


def _take(writes: Writes, value: Object, held: dict[int, Object]) -> bool:
    """Take what is too many, from the highest number down; whether none is left."""
    extra = sorted((n for n in held if n >= value["spec"]["replicas"]), reverse=True)
    for number in extra:
        if not is_going(held[number]):
            writes.delete(POD, value["metadata"]["namespace"], held[number]["metadata"]["name"], CONTROLLER)
        if _in_order(value):
            break
    return not extra


def _replace(writes: Writes, value: Object, newest: str, held: dict[int, Object]) -> None:
    """Delete the highest Pod that is of another template, once all above it are ready."""
    strategy = value["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    for number in range(value["spec"]["replicas"] - 1, partition - 1, -1):
        pod = held[number]
        if pod["metadata"]["labels"].get(HASH_LABEL) != newest:
            if not is_going(pod):
                writes.delete(POD, value["metadata"]["namespace"], pod["metadata"]["name"], CONTROLLER)
            return
        if not is_ready(pod):
            return


def _status(value: Object, newest: str, held: dict[int, Object]) -> dict[str, Any]:
    wanted = value["spec"]["replicas"]
    active = [pod for number, pod in held.items() if number < wanted and is_active(pod)]
    ready = sum(map(is_ready, active))
    updated = sum(pod["metadata"]["labels"].get(HASH_LABEL) == newest for pod in active)
    done = updated == ready == wanted
    before = (value.get("status") or {}).get("currentRevision") or newest
    current = newest if done else before
    held_back = sum(pod["metadata"]["labels"].get(HASH_LABEL) == current for pod in active)
    counts = {
        "readyReplicas": ready,
        "availableReplicas": ready,
        "updatedReplicas": updated,
        "currentReplicas": held_back,
    }
    return {
        **{name: count for name, count in counts.items() if count},
        "replicas": len([pod for pod in held.values() if is_active(pod)]),
        "observedGeneration": value["metadata"]["generation"],
        "currentRevision": current,
        "updateRevision": newest,
    }


def _revision(value: Object) -> str:
    text = json.dumps(value["spec"]["template"], sort_keys=True).encode()
    return f"{value['metadata']['name']}-{hashlib.sha256(text).hexdigest()[:10]}"


def _in_order(value: Object) -> bool:
    policy: str = value["spec"].get("podManagementPolicy", "OrderedReady")
    return policy == "OrderedReady"


def _number(value: Object, pod: Object) -> int:
    return int(pod["metadata"]["name"].removeprefix(f"{value['metadata']['name']}-"))


def _claim_name(claim: Object, value: Object, number: int) -> str:
    return f"{claim['metadata']['name']}-{value['metadata']['name']}-{number}"


def _claim(writes: Writes, value: Object, number: int) -> None:
    """Make a Pod's claims where there are none; those that are there are taken again, with what is on them."""
    namespace = value["metadata"]["namespace"]
    for claim in value["spec"].get("volumeClaimTemplates") or []:
        name = _claim_name(claim, value, number)
        if writes.store.get(CLAIM, namespace, name) is None:
            labels = value["spec"]["selector"].get("matchLabels") or {}
            metadata = {"name": name, "namespace": namespace, "labels": labels}
            writes.create(CLAIM, namespace, {"metadata": metadata, "spec": claim["spec"]}, CONTROLLER)


def _new_pod(value: Object, number: int, newest: str) -> Object:
    template, metadata = value["spec"]["template"], value["metadata"]
    name, given = f"{metadata['name']}-{number}", template.get("metadata") or {}
    labels = {HASH_LABEL: newest, NAME_LABEL: name, INDEX_LABEL: str(number)}
    claims = value["spec"].get("volumeClaimTemplates") or []
    volumes = [
        {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": _claim_name(claim, value, number)},
        }
        for claim in claims
    ]
    spec = {**template["spec"]}
    if volumes:
        spec["volumes"] = [*(spec.get("volumes") or []), *volumes]
    return {
        "metadata": {
            **given,
            "labels": {**(given.get("labels") or {}), **labels},
            "name": name,
            "namespace": metadata["namespace"],
            "ownerReferences": owner(STATEFUL_SET, value),
        },
        "spec": spec,
        "status": {"phase": "Pending"},
    }
