"""Which StatefulSets the catalog can take over where they stand, and what is guessed of them. Pure.

Unlike a Deployment's, its Pods are replaced in place by what the catalog says. So one is proposed only where the catalog
says all of its Pods that is told apart here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from candlefish.catalog.model import Volume
from candlefish.catalog.model.pods import is_ours
from candlefish.release.manifests.model import SERVICE_LABEL
from candlefish.release.manifests.stateful import STARTS
from cli.adopt import workloads as of
from cli.adopt.facts import Facts, Object
from cli.adopt.proposal import Guess

_STARTS = {policy: word for word, policy in STARTS.items()}


def proposed(facts: Facts) -> list[Object]:
    """The StatefulSets that become services."""
    return [
        each
        for each in facts.of("StatefulSet")
        if SERVICE_LABEL not in of.labels_of(each) and not why_not(each, facts)
    ]


def why_not(workload: Object, facts: Facts) -> str:
    """Why a StatefulSet cannot be a service of the catalog; empty when it can."""
    return next(_misfits(workload, facts), "")


def _misfits(workload: Object, facts: Facts) -> Iterator[str]:
    pod, container = of.template_of(workload).get("spec", {}), of.own_container(workload)
    if not of.is_name(of.name_of(workload)):
        yield "its name does not fit the catalog: 40 characters at most, beginning with a letter"
    if workload["metadata"].get("ownerReferences"):
        yield "an operator looks after it, and would put back what a release writes"
    if any(of.ingress_of(of.services_of(workload, facts), facts)):
        yield "an Ingress leads to it, and a stateful service has no host"
    if len(of.containers_of(workload)) != 1 or pod.get("initContainers"):
        yield "it has several containers, or init containers, which the catalog's Pod has not"
    if said := [field for field in ("command", "args", "envFrom", "lifecycle") if container.get(field)]:
        yield f"its container has {' and '.join(said)}, which the catalog's Pod has not"
    if any("valueFrom" in each for each in container.get("env") or []):
        yield "variables of it come from Secrets, ConfigMaps or the Pod's fields"
    if odd := [each["name"] for each in pod.get("volumes") or [] if "emptyDir" not in each]:
        yield f"it mounts {', '.join(odd)}, which are no volumes of its own"
    if not of.services_of(workload, facts):
        yield "no Service selects its Pods"
    for claim in workload.get("spec", {}).get("volumeClaimTemplates") or []:
        if _volume(claim, container) is None:
            yield f"volume {claim['metadata']['name']} is none that the catalog can say (one mode, a size, one mount path)"


def _volume(claim: Object, container: Object) -> dict[str, str] | None:
    """A claim as the catalog writes it; None where it cannot."""
    spec, name = claim.get("spec", {}), claim["metadata"]["name"]
    mounts = [each for each in container.get("volumeMounts") or [] if each.get("name") == name]
    modes = spec.get("accessModes") or []
    size = (spec.get("resources", {}).get("requests") or {}).get("storage", "")
    plain = not (
        spec.get("selector") or spec.get("dataSource") or spec.get("volumeMode", "Filesystem") != "Filesystem"
    )
    if len(mounts) != 1 or len(modes) != 1 or not plain or mounts[0].get("subPath"):
        return None
    found = {"name": name, "path": mounts[0]["mountPath"].rstrip("/"), "size": size}
    if spec.get("storageClassName"):
        found["storage_class"] = spec["storageClassName"]
    if modes[0] != "ReadWriteOnce":
        found["access"] = modes[0]
    return found if _fits(found) else None


def _fits(volume: dict[str, str]) -> bool:
    try:
        msgspec.convert(volume, Volume)
    except msgspec.ValidationError:
        return False
    return not is_ours(volume["name"])


def fields(workload: Object) -> dict[str, Guess]:
    """What only a stateful service says."""
    spec = workload.get("spec", {})
    claims = spec.get("volumeClaimTemplates") or []
    volumes = [found for each in claims if (found := _volume(each, of.own_container(workload)))]
    said: dict[str, Any] = {"volumes": volumes} if volumes else {}
    if headless := spec.get("serviceName", ""):
        # It is there, and its people's tools own it: whatever it is called, a release makes none.
        said["headless_service"] = headless
    if (start := _STARTS[spec.get("podManagementPolicy", "OrderedReady")]) != "in-order":
        said["start"] = start
    count = spec.get("replicas", 1) or 1
    guessed = {"replicas": Guess({"min": count, "max": count}, "its replicas; nothing else changes them")}
    guessed["run_as"] = _run_as(workload)
    if said:
        guessed["stateful"] = Guess(said, "its volumes and Service, which stay")
    return guessed


def _run_as(workload: Object) -> Guess:
    """Whose the files on its volumes are."""
    contexts = (
        of.template_of(workload).get("spec", {}).get("securityContext") or {},
        of.own_container(workload).get("securityContext") or {},
    )
    own = {**contexts[0], **contexts[1]}
    user = own.get("runAsUser")
    group = own.get("runAsGroup") or user
    if not user:
        words = "its image's own user, which owns the files on its volumes, stands nowhere here"
        return Guess(
            {"user": 10001, "group": 10001, "fs_group": own.get("fsGroup") or 10001}, words, sure=False
        )
    return Guess(
        {"user": user, "group": group, "fs_group": own.get("fsGroup") or group}, "its securityContext"
    )
