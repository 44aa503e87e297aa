"""Which Pods a Service leads to, and on which port."""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import CONTROLLER, is_going, is_ready, owner
from lab.kube.kinds import POD, SERVICE, SLICE
from lab.kube.runtime import Object
from lab.kube.store import Store
from lab.kube.writes import Writes

_SERVICE_LABEL = "kubernetes.io/service-name"


def backends(store: Store, service: Object) -> list[Object]:
    """Pods that get a Service's requests: selected, ready, not on their way out."""
    selector = service["spec"].get("selector")
    if not selector:
        return []
    return [
        pod
        for pod in store.list(POD, service["metadata"]["namespace"])
        if selector.items() <= (pod["metadata"].get("labels") or {}).items()
        and is_ready(pod)
        and not is_going(pod)
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


def sync(writes: Writes) -> None:
    """One EndpointSlice a Service."""
    for service in writes.store.list(SERVICE):
        if service["spec"].get("selector"):
            _sync_one(writes, service, backends(writes.store, service))


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
