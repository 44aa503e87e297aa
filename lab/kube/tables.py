"""Objects as the tables that `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lab.kube.kinds import Kind
from lab.kube.runtime import Object
from lab.kube.writes import epoch

Cells = Callable[[Object], list[Any]]


def table(kind: Kind, objects: Sequence[Object], metadata: dict[str, Any], now: float) -> dict[str, Any]:
    """A `Table` of objects."""
    columns, cells = _BY_KIND.get(kind.kind, ((), lambda value: []))
    header = [_column("Name"), *(_column(name) for name in columns), _column("Age")]
    rows = [
        {
            "cells": [value["metadata"]["name"], *cells(value), _age(value, now)],
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": value["metadata"],
            },
        }
        for value in objects
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": header,
        "rows": rows,
    }


def _column(name: str) -> dict[str, Any]:
    # A name that starts with ">" is shown by -o wide only.
    wide = name.startswith(">")
    shape = "name" if name == "Name" else ""
    return {
        "name": name.lstrip(">"),
        "type": "string",
        "format": shape,
        "description": "",
        "priority": int(wide),
    }


def _age(value: Object, now: float) -> str:
    seconds = max(0, int(now - epoch(value["metadata"]["creationTimestamp"])))
    for unit, size, upto in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if seconds < upto:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def _status(value: Object) -> dict[str, Any]:
    return value.get("status") or {}


def _pod(value: Object) -> list[Any]:
    status = _status(value)
    containers = status.get("containerStatuses") or []
    ready = sum(1 for each in containers if each["ready"])
    waiting = next(
        (each["state"]["waiting"]["reason"] for each in containers if "waiting" in each["state"]), ""
    )
    state = waiting or status.get("phase", "Pending")
    if "deletionTimestamp" in value["metadata"]:
        state = "Terminating"
    restarts = sum(each["restartCount"] for each in containers)
    where = [status.get("podIP", "<none>"), value["spec"].get("nodeName", "<none>")]
    return [f"{ready}/{len(value['spec']['containers'])}", state, restarts, *where]


def _deployment(value: Object) -> list[Any]:
    status, spec = _status(value), value["spec"]
    containers = spec["template"]["spec"]["containers"]
    labels = spec["selector"].get("matchLabels") or {}
    return [
        _ready_of_asked(value),
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        ",".join(each["name"] for each in containers),
        ",".join(each["image"] for each in containers),
        ",".join(f"{key}={text}" for key, text in labels.items()),
    ]


def _ready_of_asked(value: Object) -> str:
    return f"{_status(value).get('readyReplicas', 0)}/{value['spec']['replicas']}"


def _replica_set(value: Object) -> list[Any]:
    status = _status(value)
    return [value["spec"]["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0)]


def _service(value: Object) -> list[Any]:
    spec = value["spec"]
    ports = ",".join(f"{each['port']}/{each['protocol']}" for each in spec.get("ports") or [])
    return [spec["type"], spec.get("clusterIP", "None"), "<none>", ports or "<none>"]


def _autoscaler(value: Object) -> list[Any]:
    spec, target = value["spec"], value["spec"]["scaleTargetRef"]
    wanted = [
        f"cpu: <unknown>/{each['resource']['target'].get('averageUtilization')}%"
        for each in spec.get("metrics") or []
        if each.get("type") == "Resource"
    ]
    return [
        f"{target['kind']}/{target['name']}",
        ", ".join(wanted) or "<none>",
        spec["minReplicas"],
        spec["maxReplicas"],
        _status(value).get("currentReplicas", 0),
    ]


def _budget(value: Object) -> list[Any]:
    spec = value["spec"]
    least, most = spec.get("minAvailable", "N/A"), spec.get("maxUnavailable", "N/A")
    return [least, most, _status(value).get("disruptionsAllowed", 0)]


def _binding(value: Object) -> list[Any]:
    spec = value["spec"]
    reference = spec["serviceRef"]
    return [reference["name"], reference["port"], spec.get("targetType", "ip"), spec["targetGroupARN"]]


def _slice(value: Object) -> list[Any]:
    ports = ",".join(str(each["port"]) for each in value.get("ports") or [])
    addresses = [address for each in value.get("endpoints") or [] for address in each["addresses"]]
    return [value.get("addressType"), ports or "<unset>", ",".join(addresses) or "<unset>"]


def _node(value: Object) -> list[Any]:
    return ["Ready", "<none>", value["status"]["nodeInfo"]["kubeletVersion"]]


def _job(value: Object) -> list[Any]:
    status = _status(value)
    done = {each["type"] for each in status.get("conditions") or [] if each["status"] == "True"}
    state = "Complete" if "Complete" in done else "Failed" if "Failed" in done else "Running"
    return [state, f"{status.get('succeeded', 0)}/{value['spec'].get('completions', 1)}"]


def _event(value: Object) -> list[Any]:
    seen = value.get("involvedObject") or {}
    return [
        value.get("type"),
        value.get("reason"),
        f"{seen.get('kind')}/{seen.get('name')}",
        value.get("message"),
    ]


def _policy(value: Object) -> list[Any]:
    labels = (value["spec"].get("podSelector") or {}).get("matchLabels") or {}
    return [",".join(f"{key}={text}" for key, text in labels.items()) or "<none>"]


_BY_KIND: dict[str, tuple[tuple[str, ...], Cells]] = {
    "Pod": (("Ready", "Status", "Restarts", ">IP", ">Node"), _pod),
    "Deployment": (("Ready", "Up-to-date", "Available", ">Containers", ">Images", ">Selector"), _deployment),
    "StatefulSet": (("Ready",), lambda value: [_ready_of_asked(value)]),
    "ReplicaSet": (("Desired", "Current", "Ready"), _replica_set),
    "Service": (("Type", "Cluster-IP", "External-IP", "Port(s)"), _service),
    "HorizontalPodAutoscaler": (("Reference", "Targets", "MinPods", "MaxPods", "Replicas"), _autoscaler),
    "PodDisruptionBudget": (("Min Available", "Max Unavailable", "Allowed Disruptions"), _budget),
    "TargetGroupBinding": (("Service-Name", "Service-Port", "Target-Type", ">ARN"), _binding),
    "EndpointSlice": (("AddressType", "Ports", "Endpoints"), _slice),
    "NetworkPolicy": (("Pod-Selector",), _policy),
    "Namespace": (("Status",), lambda value: [_status(value).get("phase", "Active")]),
    "Node": (("Status", "Roles", "Version"), _node),
    "ConfigMap": (("Data",), lambda value: [len(value.get("data") or {})]),
    "ServiceAccount": (("Secrets",), lambda value: [len(value.get("secrets") or [])]),
    "Job": (("Status", "Completions"), _job),
    "Event": (("Type", "Reason", "Object", "Message"), _event),
}
