"""Which Pods a Service leads to, and on which port."""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import CONTROLLER, Settled, is_going, is_ready, owner
from lab.kube.kinds import POD, SERVICE, SLICE
from lab.kube.runtime import Object
from lab.kube.store import Store
from lab.kube.writes import Writes

_SERVICE_LABEL = "kubernetes.io/service-name"


def backends(store: Store, service: Object) -> list[Object]:
    """Pods that get a Service's requests: selected, ready, not on their way out."""
    if not service["spec"].get("selector"):
        return []
    return _selected(service, _serving(store.list(POD)))


def _serving(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if not is_going(pod) and is_ready(pod)]


def _selected(service: Object, serving: list[Object]) -> list[Object]:
    selector, namespace = service["spec"]["selector"], service["metadata"]["namespace"]
    return [
        pod
        for pod in serving
        if pod["metadata"]["namespace"] == namespace
        and selector.items() <= (pod["metadata"].get("labels") or {}).items()
    ]


def target_port(service: Object, port: Any, pod: Object) -> int | None:
    """The container's port behind a Service's port (by number or name); None when there is none."""
    ports = service["spec"].get("ports") or []
    found = next((each for each in ports if port in (each["port"], each.get("name"))), None)
    if found is None:
        return None
    target = found["targetPort"]
    if isinstance(target, int):
        return target
    return next(
        (
            int(each["containerPort"])
            for container in pod["spec"]["containers"]
            for each in container.get("ports") or []
            if each.get("name") == target
        ),
        None,
    )


def sync(writes: Writes, settled: Settled) -> None:
    """One EndpointSlice a Service."""
    serving, every = _serving(writes.store.list(POD)), writes.store.list(SERVICE)
    settled.keep(every)
    for service in every:
        if not service["spec"].get("selector"):
            continue
        pods, metadata = _selected(service, serving), service["metadata"]
        held = writes.store.get(SLICE, metadata["namespace"], metadata["name"])
        if held is None or not settled.has(service, held, *pods):
            _sync_one(writes, service, pods)


def _sync_one(writes: Writes, service: Object, pods: list[Object]) -> None:
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    ports = [
        {
            "name": each.get("name", ""),
            "port": target_port(service, each["port"], pods[0]),
            "protocol": each["protocol"],
        }
        for each in (service["spec"].get("ports") or [] if pods else [])
    ]
    content = {
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": pod["spec"].get("nodeName", ""),
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": namespace},
            }
            for pod in pods
        ],
        "ports": ports,
    }
    held = writes.store.get(SLICE, namespace, name)
    if held is not None:
        writes.store.put(SLICE, {**held, **content})
        return
    metadata = {"name": name, "labels": {_SERVICE_LABEL: name}, "ownerReferences": owner(SERVICE, service)}
    writes.create(SLICE, namespace, {"metadata": metadata, **content}, CONTROLLER)
