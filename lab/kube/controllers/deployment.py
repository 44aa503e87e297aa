"""Deployments: rolling updates through ReplicaSets, as the real controller does them.

Source: kubernetes/kubernetes, pkg/controller/deployment (rolling.go, progress.go), told from memory of
its rules, not its text.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lab.kube.controllers.objects import (
    CONTROLLER,
    Settled,
    by_owner,
    condition,
    conditions_of,
    owner,
    portion,
)
from lab.kube.kinds import DEPLOYMENT, REPLICA_SET
from lab.kube.runtime import Object
from lab.kube.writes import Writes, epoch, timestamp

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


def sync(writes: Writes, settled: Settled, *, by_the_clock: bool = True) -> None:
    """Move every Deployment one step, then report. By the clock also those that only a deadline can move."""
    owned, every = by_owner(writes.store, REPLICA_SET), writes.store.list(DEPLOYMENT)
    settled.keep(every)
    for each in every:
        sets = owned[each["metadata"]["uid"]]
        if not settled.has(each, *sets) or (by_the_clock and deadline_of(each) is not None):
            _sync_one(writes, each, sets)


def deadline_of(value: Object) -> float | None:
    """When a Deployment that rolls out has taken too long, epoch seconds; None for one that does not."""
    progress = conditions_of(value).get("Progressing")
    if progress is None or progress["status"] != "True" or progress["reason"] == "NewReplicaSetAvailable":
        return None
    return epoch(progress["lastUpdateTime"]) + float(value["spec"]["progressDeadlineSeconds"])


def _sync_one(writes: Writes, value: Object, sets: list[Object]) -> None:
    digest = _template_hash(value["spec"]["template"])
    newest = next((each for each in sets if each["metadata"]["labels"].get(HASH_LABEL) == digest), None)
    created = newest is None
    if newest is None:
        newest = _create(writes, value, digest, sets)
    old = [each for each in sets if each is not newest]
    newest, old = _roll(writes, value, newest, old)
    _clean_up(writes, value, old)
    writes.set_status(DEPLOYMENT, value, _status(writes, value, newest, old, created=created))


def _template_hash(template: dict[str, Any]) -> str:
    text = json.dumps(template, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()[:10]


def _create(writes: Writes, value: Object, digest: str, sets: list[Object]) -> Object:
    metadata, template = value["metadata"], value["spec"]["template"]
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: digest}
    revision = 1 + max((int(each["metadata"]["annotations"][REVISION]) for each in sets), default=0)
    selector = {**value["spec"]["selector"]}
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    body = {
        "metadata": {
            "name": f"{metadata['name'][:240]}-{digest}",
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": owner(DEPLOYMENT, value),
        },
        "spec": {
            "replicas": 0,
            "selector": selector,
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }
    return writes.create(REPLICA_SET, metadata["namespace"], body, CONTROLLER)


def _roll(writes: Writes, value: Object, newest: Object, old: list[Object]) -> tuple[Object, list[Object]]:
    """One step from the old ReplicaSets to the newest, within surge and unavailability."""
    desired = value["spec"]["replicas"]
    running = [each for each in old if each["spec"]["replicas"]]
    if not running:
        return _scale(writes, newest, desired), old
    strategy = value["spec"]["strategy"]
    if strategy["type"] == "Recreate":
        old = [_scale(writes, each, 0) for each in old]
        gone = all(not _count(each, "replicas") for each in old)
        return (_scale(writes, newest, desired) if gone else newest), old
    surge = portion(strategy["rollingUpdate"]["maxSurge"], desired, up=True)
    missing = portion(strategy["rollingUpdate"]["maxUnavailable"], desired, up=False)
    if not surge and not missing:
        missing = 1
    asked = newest["spec"]["replicas"]
    total = asked + sum(each["spec"]["replicas"] for each in old)
    if asked > desired:
        newest = _scale(writes, newest, desired)
    elif asked < desired:
        newest = _scale(writes, newest, asked + max(0, min(desired - asked, desired + surge - total)))
    return newest, _scale_down_old(writes, newest, old, desired - missing)


def _scale_down_old(writes: Writes, newest: Object, old: list[Object], least: int) -> list[Object]:
    """Take away old Pods: those that are not ready at once, ready ones as new ones take over."""
    asked = newest["spec"]["replicas"]
    available = _count(newest, "availableReplicas")
    total = asked + sum(each["spec"]["replicas"] for each in old)
    room = max(0, total - least - (asked - available))
    made = []
    for each in old:
        unhealthy = each["spec"]["replicas"] - _count(each, "availableReplicas")
        down = min(room, max(0, unhealthy))
        room -= down
        made.append(_scale(writes, each, each["spec"]["replicas"] - down))
    spare = available + sum(min(_count(each, "availableReplicas"), each["spec"]["replicas"]) for each in made)
    room = max(0, spare - least)
    done = []
    for each in made:
        down = min(room, each["spec"]["replicas"])
        room -= down
        done.append(_scale(writes, each, each["spec"]["replicas"] - down))
    return done


def _scale(writes: Writes, value: Object, replicas: int) -> Object:
    if value["spec"]["replicas"] == replicas:
        return value
    return writes.scale(REPLICA_SET, value, replicas, CONTROLLER)


def _count(value: Object, name: str) -> int:
    return int((value.get("status") or {}).get(name, 0))


def _clean_up(writes: Writes, value: Object, old: list[Object]) -> None:
    """Forget the oldest ReplicaSets beyond the history limit."""
    idle = [each for each in old if not each["spec"]["replicas"] and not _count(each, "replicas")]
    idle.sort(key=lambda each: int(each["metadata"]["annotations"][REVISION]))
    for each in idle[: max(0, len(idle) - value["spec"]["revisionHistoryLimit"])]:
        writes.store.remove(REPLICA_SET, each)


def _status(
    writes: Writes, value: Object, newest: Object, old: list[Object], *, created: bool
) -> dict[str, Any]:
    every = [newest, *old]
    counts = {
        "replicas": sum(_count(each, "replicas") for each in every),
        "updatedReplicas": _count(newest, "replicas"),
        "readyReplicas": sum(_count(each, "readyReplicas") for each in every),
        "availableReplicas": sum(_count(each, "availableReplicas") for each in every),
    }
    desired = value["spec"]["replicas"]
    counts["unavailableReplicas"] = max(0, counts["replicas"] - counts["availableReplicas"])
    if desired > counts["availableReplicas"]:
        counts["unavailableReplicas"] = max(
            counts["unavailableReplicas"], desired - counts["availableReplicas"]
        )
    made: dict[str, Any] = {name: count for name, count in counts.items() if count}
    made["observedGeneration"] = value["metadata"]["generation"]
    made["conditions"] = _conditions(writes, value, newest, old, counts, created=created)
    return made


def _conditions(
    writes: Writes, value: Object, newest: Object, old: list[Object], counts: dict[str, int], *, created: bool
) -> list[dict[str, Any]]:
    now, before, desired = writes.now(), conditions_of(value), value["spec"]["replicas"]
    rolling = value["spec"]["strategy"].get("rollingUpdate") or {}
    least = desired - portion(rolling.get("maxUnavailable", 0), desired, up=False)
    enough = counts["availableReplicas"] >= least
    words = ("MinimumReplicasAvailable", "has") if enough else ("MinimumReplicasUnavailable", "does not have")
    available = condition(
        before.get("Available"),
        "Available",
        enough,
        words[0],
        f"Deployment {words[1]} minimum availability.",
        now,
    )
    made = [available, _progress(value, newest, counts, before.get("Progressing"), now, created=created)]
    failures = [
        conditions_of(each)["ReplicaFailure"]
        for each in [newest, *old]
        if "ReplicaFailure" in conditions_of(each)
    ]
    return made + failures[:1]


def _progress(
    value: Object,
    newest: Object,
    counts: dict[str, int],
    before: dict[str, Any] | None,
    now: float,
    *,
    created: bool,
) -> dict[str, Any]:
    name, desired = newest["metadata"]["name"], value["spec"]["replicas"]

    def say(status: bool, reason: str, message: str) -> dict[str, Any]:
        made = condition(before, "Progressing", status, reason, f'ReplicaSet "{name}" {message}', now)
        # Every progress moves the time from which the deadline counts.
        return made if made is before else {**made, "lastUpdateTime": timestamp(now)}

    if created or before is None:
        return say(True, "NewReplicaSetCreated" if created else "FoundNewReplicaSet", "is new.")
    updated = counts["updatedReplicas"]
    # A rollout that was complete once stays so: scaling has no deadline.
    if before["reason"] == "NewReplicaSetAvailable" and counts["replicas"] == updated:
        return before
    if updated == counts["replicas"] == counts["availableReplicas"] == desired:
        return say(True, "NewReplicaSetAvailable", "has successfully progressed.")
    if _moved(value.get("status") or {}, counts):
        made = say(True, "ReplicaSetUpdated", "is progressing.")
        return {**made, "lastUpdateTime": timestamp(now)}
    limit = value["spec"]["progressDeadlineSeconds"]
    if before["reason"] != "ProgressDeadlineExceeded" and now - epoch(before["lastUpdateTime"]) <= limit:
        return before
    return say(False, "ProgressDeadlineExceeded", "has timed out progressing.")


def _moved(status: dict[str, Any], counts: dict[str, int]) -> bool:
    """Whether anything is further than at the last look."""

    def was(name: str) -> int:
        return int(status.get(name, 0))

    fewer_old = counts["replicas"] - counts["updatedReplicas"] < was("replicas") - was("updatedReplicas")
    return fewer_old or any(
        counts[name] > was(name) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
