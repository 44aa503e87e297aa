"""What the API server refuses, for the kinds and fields a release can get wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from lab.kube.kinds import Kind
from lab.kube.problems import ApiError, invalid
from lab.kube.runtime import Object
from lab.kube.selectors import matches

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
Faults = list[tuple[str, str]]


def validate(kind: Kind, value: Object, before: Object | None) -> None:
    """Raise 422 for an object that the API server would not take."""
    name = value["metadata"].get("name", "")
    faults = _metadata(value["metadata"])
    faults += _BY_KIND.get(kind.kind, _no_rules)(value.get("spec") or {})
    if before is not None:
        faults += _immutable(kind, value, before)
    if faults:
        raise invalid(kind, name, faults)


def _no_rules(spec: dict[str, Any]) -> Faults:
    return []


def _metadata(metadata: dict[str, Any]) -> Faults:
    faults: Faults = []
    name = metadata.get("name", "")
    if len(name) > 253 or not _NAME.fullmatch(name):
        rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
        faults.append(("metadata.name", f'Invalid value: "{name}": {rule}'))
    return faults + _labels("metadata.labels", metadata.get("labels") or {})


def _labels(where: str, labels: dict[str, str]) -> Faults:
    faults: Faults = []
    for key, text in labels.items():
        if not _KEY.fullmatch(key):
            faults.append(
                (where, f'Invalid value: "{key}": name part must consist of alphanumeric characters')
            )
        if len(text) > 63 or not _LABEL.fullmatch(text):
            faults.append((where, f'Invalid value: "{text}": a valid label must be at most 63 characters'))
    return faults


_FIXED_OF_SETS = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")


def _immutable(kind: Kind, value: Object, before: Object) -> Faults:
    now, then = value.get("spec") or {}, before.get("spec") or {}
    if kind.kind == "StatefulSet" and any(now.get(field) != then.get(field) for field in _FIXED_OF_SETS):
        others = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
        rest = "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"
        return [
            (
                "spec",
                f"Forbidden: updates to statefulset spec for fields other than {others}{rest} are forbidden",
            )
        ]
    fixed = {"Deployment": ("selector",), "ReplicaSet": ("selector",), "Job": ("selector", "template")}
    if kind.kind == "Service" and then.get("clusterIP") != now.get("clusterIP"):
        return [("spec.clusterIP", f'Invalid value: "{now.get("clusterIP")}": field is immutable')]
    return [
        (f"spec.{field}", "Invalid value: field is immutable")
        for field in fixed.get(kind.kind, ())
        if now.get(field) != then.get(field)
    ]


def _workload(spec: dict[str, Any]) -> Faults:
    selector, template = spec.get("selector"), spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    faults = _labels("spec.template.metadata.labels", labels)
    if not selector:
        faults.append(("spec.selector", "Required value"))
    elif not matches(selector, labels):
        faults.append(
            ("spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`")
        )
    if int(spec.get("replicas", 1)) < 0:
        faults.append(
            ("spec.replicas", f"Invalid value: {spec['replicas']}: must be greater than or equal to 0")
        )
    claims = [each["metadata"].get("name") for each in spec.get("volumeClaimTemplates") or []]
    return faults + _pod(template.get("spec") or {}, "spec.template.spec", claims)


def _pod(spec: dict[str, Any], where: str = "spec", claims: Sequence[str] = ()) -> Faults:
    containers = spec.get("containers") or []
    faults: Faults = [] if containers else [(f"{where}.containers", "Required value")]
    volumes = {volume.get("name") for volume in spec.get("volumes") or []} | set(claims)
    for index, container in enumerate(containers):
        at = f"{where}.containers[{index}]"
        if not container.get("name"):
            faults.append((f"{at}.name", "Required value"))
        if not container.get("image"):
            faults.append((f"{at}.image", "Required value"))
        for number, mount in enumerate(container.get("volumeMounts") or []):
            if mount.get("name") not in volumes:
                faults.append((f"{at}.volumeMounts[{number}].name", f'Not found: "{mount.get("name")}"'))
        faults += _limits(container.get("resources") or {}, at)
    return faults


def _limits(resources: dict[str, Any], at: str) -> Faults:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return [
        (f"{at}.resources.requests", f'Invalid value: "{wanted}": must be less than or equal to {name} limit')
        for name, wanted in requests.items()
        if name in limits and quantity(wanted) > quantity(limits[name])
    ]


def _autoscaler(spec: dict[str, Any]) -> Faults:
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    faults: Faults = []
    if not spec.get("scaleTargetRef"):
        faults.append(("spec.scaleTargetRef.kind", "Required value"))
    if least < 1:
        faults.append(("spec.minReplicas", f"Invalid value: {least}: must be greater than or equal to 1"))
    if most < 1:
        faults.append(("spec.maxReplicas", f"Invalid value: {most}: must be greater than 0"))
    elif most < least:
        faults.append(
            ("spec.maxReplicas", f"Invalid value: {most}: must be greater than or equal to `minReplicas`")
        )
    return faults


def _service(spec: dict[str, Any]) -> Faults:
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None":
        return [("spec.ports", "Required value")]
    unnamed = len(ports) > 1 and any(not port.get("name") for port in ports)
    faults: Faults = [("spec.ports[0].name", "Required value")] if unnamed else []
    wrong = [port for port in ports if not 0 < int(port.get("port") or 0) < 65536]
    return faults + [("spec.ports[0].port", "Invalid value: must be between 1 and 65535, inclusive")] * bool(
        wrong
    )


def _budget(spec: dict[str, Any]) -> Faults:
    if "minAvailable" in spec and "maxUnavailable" in spec:
        return [("spec", "Invalid value: minAvailable and maxUnavailable cannot be both set")]
    return []


def _binding(spec: dict[str, Any]) -> Faults:
    needed = {"serviceRef": spec.get("serviceRef"), "targetGroupARN": spec.get("targetGroupARN")}
    return [(f"spec.{field}", "Required value") for field, value in needed.items() if not value]


_BY_KIND: dict[str, Callable[[dict[str, Any]], Faults]] = {
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "Pod": _pod,
    "HorizontalPodAutoscaler": _autoscaler,
    "Service": _service,
    "PodDisruptionBudget": _budget,
    "TargetGroupBinding": _binding,
}

_UNITS = {
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def quantity(text: str | int | float) -> float:
    """A Kubernetes quantity as a number."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    if match is None or match[2] not in ("", *_UNITS):
        raise ApiError(400, "BadRequest", f"quantities must match the regular expression, got {text!r}")
    return float(match[1]) * _UNITS.get(match[2], 1)
