"""What several controllers ask of objects."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from lab.kube.kinds import Kind
from lab.kube.runtime import Object
from lab.kube.store import Store
from lab.kube.writes import Options, timestamp

CONTROLLER = Options(manager="kube-controller-manager", validation="Ignore")


class Settled:
    """What a controller need not look at again: objects for which nothing has changed since it had nothing to do.

    Objects are never changed in place, so an object is what it was while its resourceVersion is.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Object, ...]] = {}

    def has(self, value: Object, *others: Object) -> bool:
        """Whether an object, and the others that its controller looks at, are as they were at the last call."""
        uid, inputs = value["metadata"]["uid"], (value, *others)
        before = self._seen.get(uid, ())
        self._seen[uid] = inputs
        return len(before) == len(inputs) and all(a is b for a, b in zip(before, inputs, strict=True))

    def keep(self, values: Iterable[Object]) -> None:
        """Forget everything but these."""
        alive = {value["metadata"]["uid"] for value in values}
        self._seen = {uid: inputs for uid, inputs in self._seen.items() if uid in alive}


def by_owner(store: Store, kind: Kind) -> dict[str, list[Object]]:
    """Objects of a kind by the uid of the controller that owns them."""
    made: dict[str, list[Object]] = defaultdict(list)
    for value in store.list(kind):
        for owner in value["metadata"].get("ownerReferences") or []:
            if owner.get("controller"):
                made[owner["uid"]].append(value)
    return made


def owner(kind: Kind, value: Object) -> list[dict[str, Any]]:
    """The reference with which an object belongs to its controller."""
    return [
        {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": value["metadata"]["name"],
            "uid": value["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def is_going(value: Object) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in value["metadata"]


def is_active(pod: Object) -> bool:
    """Whether a Pod counts as one: not ended and not being deleted."""
    return not is_going(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def is_ready(pod: Object) -> bool:
    """Whether a Pod's Ready condition holds."""
    return any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in (pod.get("status") or {}).get("conditions") or []
    )


def conditions_of(value: Object) -> dict[str, dict[str, Any]]:
    """An object's conditions by type."""
    return {each["type"]: each for each in (value.get("status") or {}).get("conditions") or []}


def condition(
    before: dict[str, Any] | None, kind: str, status: bool, reason: str, message: str, now: float
) -> dict[str, Any]:
    """A condition that keeps its times while it stays what it was."""
    made = {"type": kind, "status": str(status), "reason": reason, "message": message}
    stamp = timestamp(now)
    if before and all(before.get(key) == value for key, value in made.items()):
        return before
    moved = stamp if before is None or before["status"] != str(status) else before["lastTransitionTime"]
    return {**made, "lastTransitionTime": moved, "lastUpdateTime": stamp}


def portion(value: Any, total: int, *, up: bool) -> int:
    """A number or a percentage of a total, rounded."""
    if isinstance(value, str) and value.endswith("%"):
        share = total * int(value[:-1]) / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value)
