"""Requests that change something, by verb and subresource."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from lab.kube.kinds import BUDGET, POD
from lab.kube.patches import patched
from lab.kube.problems import MODIFIED, ApiError, bad_request, conflict, invalid
from lab.kube.routes import Route
from lab.kube.runtime import Object
from lab.kube.selectors import matches
from lab.kube.writes import APPLY, Options, Writes, scale_of


def write(writes: Writes, about: Route, value: Any, content_type: str, options: Options) -> tuple[int, Any]:
    """Do what a request asks; the answer's code and body. The caller holds the store's lock."""
    kind, namespace, name, sub = about.kind, about.namespace, about.name, about.subresource
    if about.verb == "create" and sub == "eviction":
        return 201, _evict(writes, about, value, options)
    if sub == "scale":
        return 200, _scale(writes, about, value, content_type, options)
    if about.verb == "create":
        return 201, writes.create(kind, namespace, value, options)
    if about.verb == "update":
        return 200, writes.replace(kind, namespace, name, value, options, sub)
    if about.verb == "patch":
        made, is_new = writes.patch(kind, namespace, name, value, content_type, options, sub)
        return (201 if is_new else 200), made
    if not name:
        raise ApiError(405, "MethodNotAllowed", "the fake API server does not delete collections")
    return 200, writes.delete(kind, namespace, name, options, value)


def _scale(writes: Writes, about: Route, value: Any, content_type: str, options: Options) -> Object:
    held = writes.existing(about.kind, about.namespace, about.name)
    if about.verb == "patch":
        if content_type in APPLY:
            raise ApiError(415, "UnsupportedMediaType", "the fake API server does not apply to scale")
        value = patched(scale_of(about.kind, held), value, content_type, builtin=True)
    version = (value.get("metadata") or {}).get("resourceVersion")
    if version and version != held["metadata"]["resourceVersion"]:
        raise conflict(about.kind, about.name, MODIFIED)
    replicas = (value.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(about.kind, about.name, [("spec.replicas", why)])
    return scale_of(about.kind, writes.scale(about.kind, held, replicas, options))


def _evict(writes: Writes, about: Route, value: Any, options: Options) -> Object:
    pod = writes.existing(POD, about.namespace, about.name)
    labels = pod["metadata"].get("labels") or {}
    for budget in writes.store.list(BUDGET, about.namespace):
        if not matches(budget["spec"].get("selector"), labels):
            continue
        status = budget.get("status") or {}
        left = status.get("disruptionsAllowed", 0) - 1
        if left < 0:
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            raise ApiError(429, "TooManyRequests", message)
        if not options.dry_run:
            writes.set_status(BUDGET, budget, {**status, "disruptionsAllowed": left})
    writes.delete(POD, about.namespace, about.name, options, value.get("deleteOptions"))
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def decode(body: bytes, content_type: str) -> Any:
    """A request's body. kubectl applies YAML, of which JSON is a part."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not content_type.endswith("yaml"):
            raise bad_request(f"the body of the request is not JSON: {error}") from None
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from None
