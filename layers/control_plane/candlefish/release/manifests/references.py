"""What a chart's Pods and Secrets are called in one slot, and everything that names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from candlefish.release.manifests.model import Workload, slot_name
from candlefish.release.model import Manifest

# Where a Pod's specification names an object of the bundle: the field, the kind, and the fields with the name.
_PLACES = {
    "configMap": ("ConfigMap", ("name",)),
    "configMapRef": ("ConfigMap", ("name",)),
    "configMapKeyRef": ("ConfigMap", ("name",)),
    "secret": ("Secret", ("secretName", "name")),
    "secretRef": ("Secret", ("name",)),
    "secretKeyRef": ("Secret", ("name",)),
    "volumeAttributes": ("SecretProviderClass", ("secretProviderClass",)),
}
Known = frozenset[tuple[str, str]]


def made_by(kinds: dict[str, list[Manifest]]) -> Known:
    """The ConfigMaps, Secrets and classes that a bundle brings, by kind and the chart's name."""
    found = {(kind, _name(each)) for kind in ("ConfigMap", "SecretProviderClass") for each in kinds[kind]}
    found |= {("Secret", _target(each)) for each in kinds["ExternalSecret"]}
    return frozenset(
        found
        | {
            ("Secret", kept["secretName"])
            for each in kinds["SecretProviderClass"]
            for kept in each["spec"].get("secretObjects") or ()
        }
    )


def point_at_slot(pod: Manifest, known: Known, workload: Workload) -> None:
    """Point every reference of a Pod to an object of the bundle at the slot's copy of it, in place."""
    for kind, field, reference in list(_references(pod)):
        if (kind, reference[field]) in known:
            reference[field] = slot_name(reference[field], workload.slot)


def names_of(pod: Any) -> Known:
    """The ConfigMaps, Secrets and classes that a Pod's specification names, by kind and name."""
    return frozenset(
        (kind, str(reference[field]))
        for kind, field, reference in _references(pod)
        if isinstance(reference[field], str)
    )


def renamed(pod: Manifest, kinds: dict[str, list[Manifest]], wanted: dict[tuple[str, str], str]) -> None:
    """Call ConfigMaps, classes and the Secrets that a bundle keeps otherwise, wherever they are named, in place."""
    for kind, field, reference in list(_references(pod)):
        reference[field] = wanted.get((kind, reference[field]), reference[field])
    for kind in ("ConfigMap", "SecretProviderClass"):
        for each in kinds[kind]:
            each["metadata"]["name"] = wanted.get((kind, _name(each)), _name(each))
    for each in kinds["ExternalSecret"]:
        if new := wanted.get(("Secret", _target(each))):
            each["spec"]["target"] = {**(each["spec"].get("target") or {}), "name": new}
    for each in kinds["SecretProviderClass"]:
        for kept in each["spec"].get("secretObjects") or ():
            kept["secretName"] = wanted.get(("Secret", kept["secretName"]), kept["secretName"])


def external_secret(document: Manifest, renamed: Manifest, workload: Workload) -> Manifest:
    """The slot's ExternalSecret, which keeps a Secret of the slot's own."""
    target = {"creationPolicy": "Owner", **document["spec"].get("target", {})}
    target["name"] = slot_name(_target(document), workload.slot)
    return {**renamed, "spec": {**document["spec"], "target": target}}


def provider_class(document: Manifest, renamed: Manifest, workload: Workload) -> Manifest:
    """The slot's SecretProviderClass, with Secrets of the slot's own."""
    kept = [
        {**each, "secretName": slot_name(each["secretName"], workload.slot)}
        for each in document["spec"].get("secretObjects", ())
    ]
    return {**renamed, "spec": {**document["spec"], **({"secretObjects": kept} if kept else {})}}


def _name(document: Manifest) -> str:
    name: str = document["metadata"]["name"]
    return name


def _target(document: Manifest) -> str:
    """The Secret that an ExternalSecret keeps: its own name where it says none."""
    name: str = (document["spec"].get("target") or {}).get("name") or _name(document)
    return name


def _references(node: Any) -> Iterator[tuple[str, str, Manifest]]:
    """Every place that names a ConfigMap, Secret or class: its kind, the field, and what has the field."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _PLACES and isinstance(value, dict):
                kind, fields = _PLACES[key]
                yield from ((kind, field, value) for field in fields if field in value)
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def claims(objects: Iterable[Manifest]) -> tuple[str, ...]:
    """The claims of volumes that a slot's Pods mount to write to, each once."""
    found = {
        volume["persistentVolumeClaim"]["claimName"]
        for each in objects
        if each["kind"] == "Deployment"
        for volume in each["spec"]["template"]["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    return tuple(sorted(found))
