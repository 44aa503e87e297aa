"""The fake cluster's memory: objects by key, one growing resourceVersion, and the log that watches read.

Objects are never changed in place: whoever changes one puts a new value.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lab.kube.kinds import Kind
from lab.kube.runtime import Object

# How many changes a watch may be behind before it must list again.
LOG_KEPT = 20_000


class Change(msgspec.Struct, frozen=True):
    """One entry of the log."""

    version: int
    type: str
    kind: Kind
    value: Object
    before: Object | None = None


class Store:
    """Thread-safe. `lock` makes several calls one step; `changed` wakes whoever waits for changes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.version = 1
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {}
        # Objects by namespace and name, of kinds that nobody changed since they were listed.
        self._ordered: dict[Kind, list[Object]] = {}
        self._changed_at: dict[Kind, int] = {}
        self._log: deque[Change] = deque(maxlen=LOG_KEPT)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get(kind, {}).get((namespace if kind.namespaced else "", name))

    def list(self, kind: Kind, namespace: str = "") -> list[Object]:
        """Objects of a kind by namespace and name; of all namespaces when none is named."""
        with self.lock:
            if kind not in self._ordered:
                held = self._objects.get(kind, {})
                self._ordered[kind] = [held[key] for key in sorted(held)]
            every = self._ordered[kind]
            if not namespace:
                return list(every)
            return [value for value in every if value["metadata"].get("namespace") == namespace]

    def changed_at(self, kinds: Iterable[Kind]) -> int:
        """The version at which anything of these kinds changed last; 0 when nothing did."""
        return max(self._changed_at.get(kind, 0) for kind in kinds)

    def put(self, kind: Kind, value: Object) -> Object:
        """Store an object; one that changes nothing keeps its resourceVersion."""
        with self.lock:
            held = self._objects.setdefault(kind, {})
            key = _key(kind, value)
            before = held.get(key)
            if before is not None and _same(before, value):
                return before
            self.version += 1
            metadata = {**value["metadata"], "resourceVersion": str(self.version)}
            stored = {**value, "metadata": metadata}
            held[key] = stored
            self._note(Change(self.version, "MODIFIED" if before else "ADDED", kind, stored, before))
            return stored

    def remove(self, kind: Kind, value: Object) -> Object | None:
        """Take an object away; None when it is gone already."""
        with self.lock:
            gone = self._objects.get(kind, {}).pop(_key(kind, value), None)
            if gone is None:
                return None
            self.version += 1
            last = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
            self._note(Change(self.version, "DELETED", kind, last, gone))
            return last

    def since(self, version: int) -> Iterator[Change] | None:
        """Changes after a version; None when the log does not reach back that far."""
        with self.lock:
            if self._log and version < self._log[0].version - 1 and len(self._log) == LOG_KEPT:
                return None
            newer: list[Change] = []
            for change in reversed(self._log):
                if change.version <= version:
                    break
                newer.append(change)
            return reversed(newer)

    def wait(self, version: int, timeout: float) -> bool:
        """Wait until something is newer than a version; whether it is."""
        with self.changed:
            return self.changed.wait_for(lambda: self.version > version, timeout)

    def _note(self, change: Change) -> None:
        self._log.append(change)
        self._ordered.pop(change.kind, None)
        self._changed_at[change.kind] = change.version
        self.changed.notify_all()


def _key(kind: Kind, value: Object) -> tuple[str, str]:
    metadata = value["metadata"]
    return (metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])


def _same(before: Object, after: Object) -> bool:
    return _plain(before) == _plain(after)


def _plain(value: Object) -> dict[str, Any]:
    """What counts as a change: everything but the version and when who wrote."""
    metadata = {key: part for key, part in value["metadata"].items() if key != "resourceVersion"}
    if owners := metadata.get("managedFields"):
        metadata["managedFields"] = [{k: v for k, v in each.items() if k != "time"} for each in owners]
    return {**value, "metadata": metadata}
