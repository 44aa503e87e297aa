"""What of a cluster sleeps, and how it looks now: pure, from the objects as the API lists them.

In scope is everything of the kinds in `kinds` in the environment's namespace, less what is
annotated `candlefish.ai/sleep: never`, plus what carries `candlefish.ai/sleep: yes` elsewhere
(a Cluster Autoscaler, say). What another object controls is left to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from candlefish.capacity.kinds import KINDS, SLEEP_ANNOTATION, Kind, cut, key_of
from candlefish.capacity.model import CapacitySight, ObservedThing
from candlefish.label_selectors import selects

Thing = Mapping[str, Any]

WORKLOADS = ("Deployment", "StatefulSet", "Rollout")
SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
# Host paths that hold no data.
_NO_DATA = ("Socket", "CharDevice", "BlockDevice", "File")
NODEGROUP_LABEL = "eks.amazonaws.com/nodegroup"
NODEPOOL_LABEL = "karpenter.sh/nodepool"

# Marks by which GitOps controllers know what they own: (annotation or label, what owns it).
_OWNERS = (
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
)


class ClusterLists(msgspec.Struct, frozen=True):
    """What the Kubernetes API listed: objects by kind, nodes, Karpenter's claims, and Argo CD's applications.

    Each object says its `kind`, which the API leaves out of lists.
    `pods` are needed only while something stays awake (see `stays_awake`). `unknown` names what the cluster has
    that would have to sleep and that nobody here knows how to put to sleep.
    """

    objects: Mapping[str, Sequence[Thing]]
    nodes: Sequence[Thing] = ()
    claims: Sequence[Thing] = ()
    pods: Sequence[Thing] = ()
    applications: Sequence[Thing] = ()
    unknown: Sequence[str] = ()


def see(lists: ClusterLists, namespace: str) -> CapacitySight:
    """Everything of the cluster that sleeps, as it is now."""
    things: dict[str, ObservedThing] = {}
    left: dict[str, str] = {}
    scaled = _scaled(lists)
    awake = stays_awake(lists, namespace)
    kept = kept_nodes(lists, awake)
    healing = _self_healing(lists.applications)
    for name, listed in lists.objects.items():
        kind = KINDS[name]
        for thing in listed:
            key = key_of(name, _full_name(kind, thing))
            why = _why_left(kind, thing, namespace, awake, kept)
            things[key] = _seen(kind, thing, lists, scaled)
            if why is not None:
                left[key] = why
    owners = {seen.owner for key, seen in things.items() if seen.owner in healing and key not in left}
    warnings = [
        f"{owner} heals itself and undoes the night: let it ignore /spec/replicas, or annotate what it owns"
        for owner in sorted(owners)
    ]
    return CapacitySight(things, left, (*lists.unknown, *warnings))


def stays_awake(lists: ClusterLists, namespace: str) -> list[Thing]:
    """Workloads that are annotated to stay awake, or would lose data, and run Pods, which need nodes."""
    return [
        thing
        for name in WORKLOADS
        for thing in lists.objects.get(name, ())
        if (_wish(thing) == "never" or would_lose(thing))
        and _namespace(thing) == namespace
        and thing["spec"].get("replicas", 1) > 0
    ]


def would_lose(thing: Thing) -> str:
    """What a workload would lose in the night for good; empty when nothing, or when somebody said that it may.

    The morning brings objects back as they were in the evening, and no data that Kubernetes or a node has deleted.
    """
    if _wish(thing) == "yes":
        return ""
    spec = thing["spec"]
    kept = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    if spec.get("volumeClaimTemplates") and kept.get("whenScaled") == "Delete":
        return "its volumes, which Kubernetes deletes with its Pods (persistentVolumeClaimRetentionPolicy.whenScaled: Delete)"
    pod = (spec.get("template") or {}).get("spec") or {}
    written = {
        mount.get("name")
        for container in pod.get("containers") or ()
        for mount in container.get("volumeMounts") or ()
        if not mount.get("readOnly")
    }
    for volume in pod.get("volumes") or ():
        path = volume.get("hostPath") or {"type": "Socket"}
        if volume.get("name") in written and path.get("type") not in _NO_DATA:
            return f"what it wrote to {path.get('path')} of its nodes, which go (volume {volume['name']}, hostPath)"
    return ""


def kept_nodes(lists: ClusterLists, awake: Iterable[Thing]) -> dict[tuple[str, str], str]:
    """Which nodegroups and node pools must stay, because something that stays awake runs there.

    The key is the node's label and its value; the value is the workload's name.
    """
    on: dict[str, str] = {}
    for thing in awake:
        for pod in lists.pods:
            if _namespace(pod) == _namespace(thing) and selects(
                thing["spec"].get("selector"), pod["metadata"].get("labels") or {}
            ):
                on[pod.get("spec", {}).get("nodeName", "")] = thing["metadata"]["name"]
    kept: dict[tuple[str, str], str] = {}
    for node in lists.nodes:
        labels = node["metadata"].get("labels") or {}
        for label in (NODEGROUP_LABEL, NODEPOOL_LABEL):
            if node["metadata"]["name"] in on and label in labels:
                kept[label, labels[label]] = on[node["metadata"]["name"]]
    return kept


def nodes_of(nodes: Iterable[Thing], label: str, value: str) -> tuple[int, int]:
    """How many nodes of a group there are, and how many of them are ready."""
    mine = [node for node in nodes if (node["metadata"].get("labels") or {}).get(label) == value]
    ready = [
        node
        for node in mine
        if any(
            each.get("type") == "Ready" and each.get("status") == "True"
            for each in node.get("status", {}).get("conditions", ())
        )
    ]
    return len(mine), len(ready)


def _why_left(
    kind: Kind, thing: Thing, namespace: str, awake: Sequence[Thing], kept: Mapping[tuple[str, str], str]
) -> str | None:
    """None: it sleeps. Empty: it is none of our business. Otherwise why it is left alone."""
    wish = _wish(thing)
    ours = not kind.namespaced or _namespace(thing) == namespace
    controller = _controller(thing)
    if not ours and wish != "yes":
        return ""
    if wish == "never":
        return f"annotated {SLEEP_ANNOTATION}: never"
    if kind.name == "NodePool" and (NODEPOOL_LABEL, thing["metadata"]["name"]) in kept:
        return f"runs {kept[NODEPOOL_LABEL, thing['metadata']['name']]}, which stays awake"
    if controller:
        # KEDA makes and removes its own autoscalers.
        return "" if kind.name in SCALERS else f"controlled by {controller}; annotate or scale that instead"
    if kind.name in WORKLOADS and (lost := would_lose(thing)):
        return f"would lose {lost}; annotate {SLEEP_ANNOTATION}: yes if it may"
    if kind.name in SCALERS and any(_target(thing) == _identity(each) for each in awake):
        return "scales a workload that stays awake"
    if kind.name in SCALERS and (scales := _target(thing)[0]) not in WORKLOADS:
        return f"scales a {scales}, a kind that is not put to sleep"
    if kind.name == "PodDisruptionBudget" and any(
        selects(
            thing["spec"].get("selector"),
            each["spec"].get("template", {}).get("metadata", {}).get("labels") or {},
        )
        for each in awake
        if _namespace(each) == _namespace(thing)
    ):
        return "protects a workload that stays awake"
    return None


def _seen(kind: Kind, thing: Thing, lists: ClusterLists, scaled: set[tuple[str, str, str]]) -> ObservedThing:
    empty, ready, detail = True, True, ""
    if kind.name in WORKLOADS:
        empty, ready, detail = _pods(thing)
    if kind.name == "NodePool":
        claims = _claims_of(lists.claims, thing["metadata"]["name"])
        empty, detail = not claims, f"{len(claims)} nodes still run" if claims else ""
    return ObservedThing(
        state=cut(thing, kind.shape),
        empty=empty,
        ready=ready,
        detail=detail,
        autoscaled=kind.name in WORKLOADS and _identity(thing) in scaled,
        owner=owner_of(thing),
        writer=writer_of(thing, kind),
        version=thing["metadata"].get("resourceVersion", ""),
    )


def _pods(thing: Thing) -> tuple[bool, bool, str]:
    status, wanted = thing.get("status") or {}, thing["spec"].get("replicas", 1)
    running, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    # Argo Rollouts writes a text there.
    fresh = int(status.get("observedGeneration", 0)) >= thing["metadata"].get("generation", 0)
    if wanted == 0:
        return fresh and running == 0, True, f"{running} Pods still run" if running else ""
    return False, fresh and ready >= wanted, f"{ready} of {wanted} Pods are ready"


def owner_of(thing: Thing) -> str:
    """The GitOps application that owns an object, like `Argo CD: shop`; empty when there is none."""
    metadata = thing["metadata"]
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    for mark, owner in _OWNERS:
        if mark in marks:
            return f"{owner}: {marks[mark].partition(':')[0]}"
    return ""


def writer_of(thing: Thing, kind: Kind) -> str:
    """Who last wrote what parking changes, as the API's managed fields tell."""
    latest, who = "", ""
    for entry in thing["metadata"].get("managedFields") or ():
        if entry.get("time", "") >= latest and _touches(entry.get("fieldsV1") or {}, kind.shape):
            latest, who = entry.get("time", ""), entry.get("manager", "")
    return who


def _touches(fields: Mapping[str, Any], shape: Any) -> bool:
    if shape is None:
        return True
    return any(
        f"f:{name}" in fields and _touches(fields[f"f:{name}"], inner) for name, inner in shape.items()
    )


def _self_healing(applications: Iterable[Thing]) -> set[str]:
    found = set()
    for each in applications:
        automated = ((each.get("spec") or {}).get("syncPolicy") or {}).get("automated") or {}
        if automated.get("selfHeal"):
            found.add(f"Argo CD: {each['metadata']['name']}")
    return found


def _scaled(lists: ClusterLists) -> set[tuple[str, str, str]]:
    return {_target(thing) for name in SCALERS for thing in lists.objects.get(name, ())}


def _target(scaler: Thing) -> tuple[str, str, str]:
    target = scaler["spec"].get("scaleTargetRef") or {}
    return target.get("kind", "Deployment"), _namespace(scaler), target.get("name", "")


def _identity(thing: Thing) -> tuple[str, str, str]:
    return thing["kind"], _namespace(thing), thing["metadata"]["name"]


def _claims_of(claims: Iterable[Thing], pool: str) -> list[Thing]:
    return [each for each in claims if (each["metadata"].get("labels") or {}).get(NODEPOOL_LABEL) == pool]


def _controller(thing: Thing) -> str:
    for owner in thing["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner.get('kind')} {owner.get('name')}"
    return ""


def _wish(thing: Thing) -> str:
    return str((thing["metadata"].get("annotations") or {}).get(SLEEP_ANNOTATION, "")).lower()


def _namespace(thing: Thing) -> str:
    return str(thing["metadata"].get("namespace", ""))


def _full_name(kind: Kind, thing: Thing) -> str:
    name = str(thing["metadata"]["name"])
    return f"{_namespace(thing)}/{name}" if kind.namespaced else name
