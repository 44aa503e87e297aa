"""GET, LIST and WATCH."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from lab.kube.problems import ApiError, bad_request
from lab.kube.routes import Route
from lab.kube.runtime import Object
from lab.kube.selectors import Test, by_fields, by_labels
from lab.kube.store import Change, Store

POLL = 0.5


def listed(store: Store, route: Route, query: Mapping[str, str]) -> tuple[list[Object], dict[str, Any]]:
    """A page of objects, and the list's metadata."""
    selected = _selector(query)
    with store.lock:
        version = store.version
        objects = [value for value in store.list(route.kind, route.namespace) if selected(value)]
    if token := query.get("continue"):
        version, after = _read_token(token)
        objects = [value for value in objects if _place(value) > after]
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    limit = int(query.get("limit") or 0)
    if limit and len(objects) > limit:
        metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
        metadata["continue"] = _token(version, _place(objects[-1]))
    return objects, metadata


def watched(
    store: Store, route: Route, query: Mapping[str, str], stopping: Any
) -> Iterator[tuple[str, Object]]:
    """Events from now on, or from a version; `("", {})` when nothing happened for a while."""
    selected = _selector(query)
    start = query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents") == "true"
    with store.lock:
        version = store.version
        have = [value for value in store.list(route.kind, route.namespace) if selected(value)]
    if start in ("", "0") or initial:
        for value in have:
            yield "ADDED", value
    else:
        version = int(start)
    if initial:
        yield "BOOKMARK", _bookmark(route, version)
    while not stopping.is_set():
        store.wait(version, POLL)
        changes = store.since(version)
        if changes is None:
            raise ApiError(410, "Expired", f"too old resource version: {version} ({store.version})")
        quiet = True
        for change in changes:
            version = change.version
            if change.kind is route.kind and (event := _event(change, route.namespace, selected)):
                quiet = False
                yield event
        if quiet:
            yield "", {}


def _event(change: Change, namespace: str, selected: Test) -> tuple[str, Object] | None:
    """What a change means to a watcher that sees only what it selected."""
    if namespace not in ("", change.value["metadata"].get("namespace", "")):
        return None
    now = change.type != "DELETED" and selected(change.value)
    before = change.before is not None and selected(change.before)
    if now:
        return ("MODIFIED" if before else "ADDED"), change.value
    return ("DELETED", change.value) if before else None


def _bookmark(route: Route, version: int) -> Object:
    note = {"k8s.io/initial-events-end": "true"}
    return {
        "kind": route.kind.kind,
        "apiVersion": route.kind.api_version,
        "metadata": {"resourceVersion": str(version), "annotations": note},
    }


def _selector(query: Mapping[str, str]) -> Test:
    labels, fields = by_labels(query.get("labelSelector", "")), by_fields(query.get("fieldSelector", ""))
    return lambda value: labels(value) and fields(value)


def _place(value: Object) -> tuple[str, str]:
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]


def _token(version: int, after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *after]).encode()).decode()


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        raise bad_request("continue key is not valid") from None
    return int(version), (str(namespace), str(name))
