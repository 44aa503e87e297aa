"""What a Pod needs before its containers can be made, and has not: Secrets, ConfigMaps and keys of them, as kubelet says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lab.kube.runtime import Object

# Finds an object by kind ("Secret" or "ConfigMap"), namespace and name.
Find = Callable[[str, str, str], Object | None]


class Need(NamedTuple):
    """A Secret or ConfigMap, perhaps one key of it, that a Pod names; `volume` when it is mounted."""

    kind: str
    name: str
    key: str = ""
    volume: bool = False


def lacking(pod: Object, find: Find) -> tuple[str, str]:
    """Why containers cannot be made yet, as kubelet's reason and message; both empty when nothing is missing.

    Volumes come first, and without one nothing is made (ContainerCreating). A variable's source that is missing is
    CreateContainerConfigError. Source: kubelet's volume manager and `makeEnvironmentVariables`.
    """
    namespace = pod["metadata"]["namespace"]
    for need in sorted(_needs(pod["spec"]), key=lambda each: not each.volume):
        found = find(need.kind, namespace, need.name)
        reason = "ContainerCreating" if need.volume else "CreateContainerConfigError"
        if found is None:
            return reason, f'{need.kind.lower()} "{need.name}" not found'
        if need.key and need.key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
            return reason, f"couldn't find key {need.key} in {need.kind} {namespace}/{need.name}"
    return "", ""


def _needs(spec: dict[str, Any]) -> Iterator[Need]:
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for field, kind, name in (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name")):
                if (given := source.get(field)) and not given.get("optional"):
                    yield Need(kind, given.get(name) or given["name"], volume=True)
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for source in container.get("envFrom") or ():
            yield from _named(source, {"secretRef": "Secret", "configMapRef": "ConfigMap"})
        for variable in container.get("env") or ():
            named = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
            yield from _named(variable.get("valueFrom") or {}, named)


def _named(source: dict[str, Any], kinds: dict[str, str]) -> Iterator[Need]:
    for field, kind in kinds.items():
        if (given := source.get(field)) and not given.get("optional"):
            yield Need(kind, given["name"], given.get("key", ""))
