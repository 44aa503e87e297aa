"""Which lists merge by key and which maps are replaced whole: Kubernetes' merge markers, for what we use."""

from __future__ import annotations

from collections.abc import Sequence

# List field -> the keys that identify an item. Others are replaced whole.
_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
ATOMIC_MAPS = {
    "selector",
    "labelSelector",
    "podSelector",
    "namespaceSelector",
    "nodeSelector",
    "configMapKeyRef",
    "secretKeyRef",
    "fieldRef",
}
SETS = {"finalizers"}
# What a missing key of an item means.
KEY_DEFAULTS = {"protocol": "TCP"}


def keys_of(path: Sequence[str]) -> tuple[str, ...]:
    """The keys that identify items of the list at a path of field names; empty when it is atomic."""
    name = path[-1] if path else ""
    if name == "ports":
        if any(each in _CONTAINERS for each in path):
            return ("containerPort", "protocol")
        return ("port", "protocol") if tuple(path) == ("spec", "ports") else ()
    return _KEYS.get(name, ())


def patch_key(path: Sequence[str]) -> str:
    """The one key by which strategic merge finds an item."""
    keys = keys_of(path)
    return keys[0] if keys else ""


def identity(item: dict[str, object], keys: Sequence[str]) -> tuple[object, ...]:
    """What identifies an item among its list's."""
    return tuple(item.get(key, KEY_DEFAULTS.get(key)) for key in keys)
