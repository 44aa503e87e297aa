"""Single requests to the Kubernetes API: the lab's emulator with the one object in it that a request is about.

`lab.kube` is held to the real API server by tests/contract/kubernetes, so that what the exploration says of
resourceVersions, conflicts and annotations is what the API does. An object is a value; a request makes another one.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any, NamedTuple

from candlefish.adapters.kubernetes.messages import ApiResponse
from candlefish.release.manifests.model import GENERATION_NOTE
from lab.kube.access import MASTERS, User
from lab.kube.cluster import furnish
from lab.kube.kinds import AUTOSCALER, DEPLOYMENT, JOB, SERVICE, Kind
from lab.kube.requests import Request, answer
from lab.kube.store import Store
from lab.kube.writes import Writes
from tests.exploration.subject import decode, encode

KINDS: dict[str, Kind] = {
    "deployments": DEPLOYMENT,
    "horizontalpodautoscalers": AUTOSCALER,
    "services": SERVICE,
    "jobs": JOB,
}
_US = User("control-plane", (MASTERS,))
# Objects have no time: when they were made plays no part here.
_EPOCH = 0.0


class Stored(NamedTuple):
    """An object as the API keeps it, empty where there is none; `version` outlives it, so none comes twice."""

    body: bytes = b""
    version: int = 1


class Asked(NamedTuple):
    """A request about one object."""

    method: str
    # deployments, horizontalpodautoscalers, services or jobs, and which one; all of them where it is empty.
    plural: str
    name: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str

    @property
    def writes(self) -> bool:
        return self.method != "GET" and ("dryRun", "All") not in self.query

    def __str__(self) -> str:
        rehearsal = " (dry run)" if ("dryRun", "All") in self.query else ""
        where = "/scale" if self.path.endswith("/scale") else ""
        about = _about(decode(self.body)) if self.body else ""
        return f"{self.method} {self.plural[:-1]} {self.name}{where}{rehearsal}{about}"


def _about(body: Any) -> str:
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    said = {
        "gen": (metadata.get("annotations") or {}).get(GENERATION_NOTE),
        "if version": metadata.get("resourceVersion"),
        "replicas": spec.get("replicas"),
        "min": spec.get("minReplicas"),
        "suspend": spec.get("suspend"),
        "deadline": spec.get("activeDeadlineSeconds"),
        "image": _image(body)[-2:] or None,
    }
    return "".join(f" {name}={value}" for name, value in said.items() if value is not None)


class Slot(NamedTuple):
    """What an operator would read of a slot."""

    image: str
    replicas: int
    generation: int
    # The autoscaler's minimum; None where it is missing.
    minimum: int | None
    bounds_generation: int
    # The memory limit of its container: what two configurations here differ in.
    limit: str = ""


@cache
def ask(stored: Stored, asked: Asked, namespace: str) -> tuple[Stored, ApiResponse]:
    """The object after a request, and the API's answer."""
    writes = _holding(stored, asked.plural, namespace)
    kind, store = KINDS[asked.plural], writes.store
    code, found = answer(
        writes,
        Request(
            asked.method,
            asked.path,
            dict(asked.query),
            _US,
            asked.body,
            asked.content_type,
            "candlefish-control-plane",
        ),
    )
    after = store.get(kind, namespace, asked.name)
    return _kept(stored, after, store), ApiResponse(code, encode(found))


def _holding(stored: Stored, plural: str, namespace: str) -> Writes:
    store = Store()
    # No two objects get one uid, not even one after the other.
    writes = Writes(store, lambda: _EPOCH, random.Random(stored.version))
    furnish(writes, [namespace])
    store.version = stored.version
    if stored.body:
        store.version -= 1
        store.put(KINDS[plural], decode(stored.body))
    return writes


def _kept(before: Stored, after: dict[str, Any] | None, store: Store) -> Stored:
    if after is None:
        return Stored(b"", store.version) if before.body else before
    if after["kind"] == "Deployment":
        after = {**after, "status": _rolled_out(after)}
    return Stored(encode(after), int(after["metadata"]["resourceVersion"]))


def _rolled_out(deployment: dict[str, Any]) -> dict[str, Any]:
    """The cluster's controllers are never behind: what is asked for runs. Their writes change no version."""
    count = deployment["spec"]["replicas"]
    told = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        **{k: v for k, v in told.items() if v},
    }


@cache
def slot_of(deployment: Stored, autoscaler: Stored) -> Slot:
    """What runs in a slot."""
    body = decode(deployment.body) if deployment.body else {}
    bounds = decode(autoscaler.body) if autoscaler.body else {}
    return Slot(
        image=_image(body),
        replicas=(body.get("spec") or {}).get("replicas", 0),
        generation=_generation(body),
        minimum=bounds["spec"]["minReplicas"] if bounds else None,
        bounds_generation=_generation(bounds),
        limit=_limit(body),
    )


def _generation(body: dict[str, Any]) -> int:
    return int(((body.get("metadata") or {}).get("annotations") or {}).get(GENERATION_NOTE, 0))


def _image(body: dict[str, Any]) -> str:
    containers = ((body.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or [{}]
    return str(containers[0].get("image", ""))


def _limit(body: dict[str, Any]) -> str:
    containers = ((body.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or [{}]
    return str(((containers[0].get("resources") or {}).get("limits") or {}).get("memory", ""))


def changed(stored: Stored, plural: str, namespace: str, change: dict[str, Any] | None) -> Stored:
    """The object after somebody with kubectl changed its spec, or deleted it (None)."""
    writes = _holding(stored, plural, namespace)
    kind, body = KINDS[plural], decode(stored.body)
    if change is None:
        writes.store.remove(kind, body)
        return _kept(stored, None, writes.store)
    spec = {**body["spec"], **change}
    after = {**body, "metadata": {**body["metadata"]}, "spec": spec}
    if spec != body["spec"]:
        after["metadata"]["generation"] = body["metadata"].get("generation", 1) + 1
    writes.store.put(kind, after)
    return _kept(stored, writes.store.get(kind, namespace, body["metadata"]["name"]), writes.store)


def reported(stored: Stored, plural: str, namespace: str, status: dict[str, Any]) -> Stored:
    """The object after a controller wrote its status."""
    writes = _holding(stored, plural, namespace)
    after = writes.store.put(KINDS[plural], {**decode(stored.body), "status": status})
    return _kept(stored, after, writes.store)
