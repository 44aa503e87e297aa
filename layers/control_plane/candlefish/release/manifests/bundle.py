"""A slot's objects from a bundle that `helm template` wrote.

A bundle is a JSON array of Kubernetes objects (the command line turns Helm's YAML into it). Here
the slot is applied to it: names, selectors, labels and references of everything that belongs to a
version get the slot; the image becomes the release's, by digest; what the bundle lacks is rendered
from the catalog; what could reach beyond its service is refused.

ConfigMaps belong to a version, so each slot has its own. Were they shared, a candidate would
change the configuration of the stable slot's next Pod.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec

from candlefish.errors import InvalidInput
from candlefish.release.manifests import render as catalog
from candlefish.release.manifests.harden import harden
from candlefish.release.manifests.model import MANAGER, ROLE_NOTE, Manifest, Workload, slot_name

# Kinds a bundle may hold, with their API version, in the order in which they are applied.
ALLOWED = {
    "ServiceAccount": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "ConfigMap": "v1",
    "Service": "v1",
    "PodDisruptionBudget": "policy/v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
}
SHARED = ("ServiceAccount", "NetworkPolicy")
AT_MOST_ONE = (
    "Deployment",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "ServiceAccount",
)

_ELSEWHERE = "install it once with your cluster tooling, not with a release"
_NO_SLOTS = "it cannot run in two slots; use a Deployment"
# Kinds that charts often bring, and what to do instead.
REFUSED = {
    "Secret": "keep it in Secrets Manager and name it under `secrets` in the catalog",
    "Ingress": "the control plane owns the listener rule; leave it out of the chart",
    "TargetGroupBinding": "the control plane makes it; leave it out of the chart",
    "StatefulSet": _NO_SLOTS,
    "DaemonSet": _NO_SLOTS,
    "ReplicaSet": _NO_SLOTS,
    "Pod": _NO_SLOTS,
    "Job": "run it as a hook step of the strategy",
    "CronJob": "make it a service of its own outside the slots; two versions of it would run at once",
    "Role": f"it grants rights; {_ELSEWHERE}",
    "RoleBinding": f"it grants rights; {_ELSEWHERE}",
}
BIGGEST = 5_000_000


def parse(data: bytes) -> list[Manifest]:
    """Read a stored bundle.

    Raises
    ------
    InvalidInput
        It is not a JSON array of objects, or larger than 5 MB.
    """
    if len(data) > BIGGEST:
        raise InvalidInput(f"the bundle has {len(data)} bytes, the most is {BIGGEST}; split the chart")
    try:
        return msgspec.json.decode(data, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"the bundle is not a JSON array of Kubernetes objects ({error}); make it with: candlefish bundle"
        ) from error


def from_bundle(bundle: Sequence[Manifest], workload: Workload) -> tuple[Manifest, ...]:
    """Every object of the slot, in the order in which they should be applied.

    Raises
    ------
    InvalidInput
        The bundle holds something a release must not touch, or is not one Deployment behind one
        Service. The message names the object and what to do.
    """
    for document in bundle:
        _check(document, workload)
    kinds = {kind: [d for d in bundle if d["kind"] == kind] for kind in ALLOWED}
    _check_counts(kinds)
    configs = {d["metadata"]["name"] for d in kinds["ConfigMap"]}
    accounts = kinds["ServiceAccount"]
    deployment = _deployment(kinds["Deployment"][0], workload, configs, own_account=not accounts)
    services = _services(kinds["Service"], deployment, workload)
    lone = {
        "HorizontalPodAutoscaler": _autoscaler,
        "PodDisruptionBudget": _disruption_budget,
    }
    made = {
        "ServiceAccount": [_account(d, workload) for d in accounts] or [catalog.service_account(workload)],
        "NetworkPolicy": [_labelled(d, workload, shared=True) for d in kinds["NetworkPolicy"]]
        or [catalog.network_policy(workload)],
        "ConfigMap": [_renamed(d, workload) for d in kinds["ConfigMap"]],
        "Service": services,
        "TargetGroupBinding": [
            catalog.target_group_binding(workload, _traffic_port(services[0], deployment, workload))
        ],
        **{kind: [make(kinds[kind], workload)] for kind, make in lone.items()},
        "Deployment": [deployment],
    }
    order = [*list(ALLOWED)[:4], "TargetGroupBinding", *list(ALLOWED)[4:]]
    return tuple(manifest for kind in order for manifest in made[kind])


def _refuse(document: Manifest, why: str) -> NoReturn:
    raise InvalidInput(f"bundle: {_title(document)}: {why}")


def _title(document: Manifest) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{document.get('kind') or 'object without kind'} {name or '(no name)'}"


def _check(document: Manifest, workload: Workload) -> None:
    kind, version = document.get("kind"), document.get("apiVersion")
    metadata = document.get("metadata")
    if (
        not isinstance(kind, str)
        or not isinstance(metadata, dict)
        or not isinstance(metadata.get("name"), str)
    ):
        _refuse(
            document,
            "not a Kubernetes object (kind, metadata.name); upload what helm template printed",
        )
    if kind in REFUSED:
        _refuse(document, f"not allowed in a bundle: {REFUSED[kind]}")
    if kind not in ALLOWED:
        _refuse(
            document,
            f"not allowed in a bundle, only {', '.join(ALLOWED)} are; {_ELSEWHERE}",
        )
    if version != ALLOWED[kind]:
        _refuse(document, f"has apiVersion {version}; write {ALLOWED[kind]}")
    if (namespace := metadata.get("namespace", workload.namespace)) != workload.namespace:
        _refuse(
            document,
            f"is for namespace {namespace}, the release for {workload.namespace}; "
            f"render with: helm template --namespace {workload.namespace}",
        )
    if any(note.startswith("helm.sh/hook") for note in metadata.get("annotations") or {}):
        _refuse(
            document,
            "is a Helm hook, which only Helm runs; render with: helm template --no-hooks",
        )
    if metadata.get("generateName"):
        _refuse(
            document,
            "has generateName, so it would be a new object every time; give it a name",
        )


def _check_counts(kinds: dict[str, list[Manifest]]) -> None:
    if len(kinds["Deployment"]) != 1:
        found = ", ".join(d["metadata"]["name"] for d in kinds["Deployment"]) or "none"
        raise InvalidInput(
            f"bundle: it must hold exactly one Deployment, the one that takes traffic, and holds {found}; "
            "a worker cannot be held at 10% by the load balancer, so give it a service of its own"
        )
    for kind in AT_MOST_ONE:
        if len(kinds[kind]) > 1:
            _refuse(kinds[kind][1], f"the bundle holds more than one {kind}; a slot has one")


def _labelled(document: Manifest, workload: Workload, *, shared: bool = False) -> Manifest:
    """A copy in the release's namespace with the control plane's labels over the chart's."""
    metadata = document["metadata"]
    labels = workload.shared_labels if shared else workload.labels
    # What the chart calls itself stays: network policies of others may select by it.
    kept = {k: v for k, v in (metadata.get("labels") or {}).items() if k != "app.kubernetes.io/managed-by"}
    own = {"app.kubernetes.io/managed-by": MANAGER}
    note = {} if shared else workload.notes
    return {
        **{k: v for k, v in document.items() if k != "status"},
        "metadata": {
            "name": metadata["name"],
            "namespace": workload.namespace,
            "labels": {**labels, **kept, **own, **_candlefish(labels)},
            "annotations": {**(metadata.get("annotations") or {}), **note},
        },
    }


def _candlefish(labels: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key.startswith("candlefish.ai/")}


def _renamed(document: Manifest, workload: Workload, name: str = "") -> Manifest:
    made = _labelled(document, workload)
    made["metadata"]["name"] = name or slot_name(document["metadata"]["name"], workload.slot)
    return made


def _account(document: Manifest, workload: Workload) -> Manifest:
    made = _labelled(document, workload, shared=True)
    if workload.role:
        made["metadata"]["annotations"].setdefault(ROLE_NOTE, workload.role)
    return made


def _deployment(document: Manifest, workload: Workload, configs: set[str], *, own_account: bool) -> Manifest:
    made = _renamed(document, workload, workload.name)
    # A copy that may be changed: documents are JSON.
    spec = msgspec.json.decode(msgspec.json.encode(document.get("spec") or {}))
    template = spec.get("template") or {}
    if not (template.get("spec") or {}).get("containers"):
        _refuse(document, "has no containers; check the chart's values")
    # The autoscaler and the scale subresource own it (see manifests.render).
    spec.pop("replicas", None)
    labels = {
        **workload.labels,
        **((template.get("metadata") or {}).get("labels") or {}),
        **_candlefish(workload.labels),
    }
    spec["selector"] = {"matchLabels": workload.selector}
    spec.setdefault("strategy", catalog.update_strategy())
    spec["progressDeadlineSeconds"] = max(1, round(workload.ready_within))
    notes = (template.get("metadata") or {}).get("annotations") or {}
    pod = template["spec"]
    if own_account:
        pod["serviceAccountName"] = workload.service.name
    _rename_configs(pod, configs, workload)
    harden(pod, workload, lambda why: _refuse(document, why))
    spec["template"] = {
        "metadata": {"labels": labels, "annotations": {**notes, **workload.notes}},
        "spec": pod,
    }
    return {**made, "spec": spec}


def _rename_configs(pod: Manifest, configs: set[str], workload: Workload) -> None:
    """Point every reference to one of the bundle's ConfigMaps at the slot's copy of it."""
    for reference in _config_references(pod):
        if reference.get("name") in configs:
            reference["name"] = slot_name(reference["name"], workload.slot)


def _config_references(node: Any) -> Iterator[Manifest]:
    """Every `configMap`, `configMapRef` and `configMapKeyRef` in a Pod's specification."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("configMap", "configMapRef", "configMapKeyRef") and isinstance(value, dict):
                yield value
            yield from _config_references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _config_references(item)


def _services(documents: list[Manifest], deployment: Manifest, workload: Workload) -> list[Manifest]:
    """The slot's Services, the one that takes the traffic first."""
    if not documents:
        return [catalog.service(workload)]
    name = workload.service.name
    main = next(
        (d for d in documents if d["metadata"]["name"] == name),
        documents[0] if len(documents) == 1 else None,
    )
    if main is None:
        found = ", ".join(d["metadata"]["name"] for d in documents)
        raise InvalidInput(
            f"bundle: Services {found}: none is called {name}, so it is unclear which takes traffic"
        )
    pod_labels = deployment["spec"]["template"]["metadata"]["labels"]
    made = []
    for document in [main, *(d for d in documents if d is not main)]:
        spec = document.get("spec") or {}
        if spec.get("type", "ClusterIP") != "ClusterIP":
            _refuse(
                document,
                f"has type {spec['type']}; the load balancer reaches Pods directly, use ClusterIP",
            )
        if (selector := spec.get("selector")) and not selector.items() <= pod_labels.items():
            _refuse(
                document,
                "does not select the Deployment's Pods; a bundle holds one workload",
            )
        fixed = {k: v for k, v in spec.items() if k not in ("clusterIP", "clusterIPs") or v == "None"}
        renamed = _renamed(document, workload, workload.name if document is main else "")
        made.append({**renamed, "spec": {**fixed, "selector": workload.selector}})
    return made


def _traffic_port(service: Manifest, deployment: Manifest, workload: Workload) -> int:
    """The Service's port that leads to the service's port in the catalog."""
    wanted = workload.service.port
    named = {
        port["name"]: port["containerPort"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for port in container.get("ports") or []
        if "name" in port
    }
    for port in service["spec"].get("ports") or []:
        target = port.get("targetPort", port.get("port"))
        if named.get(target, target) == wanted:
            return int(port["port"])
    _refuse(service, f"no port of it leads to {wanted}, the service's port in the catalog")


def _autoscaler(documents: list[Manifest], workload: Workload) -> Manifest:
    if not documents:
        return catalog.autoscaler(workload)
    spec = documents[0].get("spec") or {}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name}
    # The range is the release's to move; metrics and behaviour are the chart's.
    return {
        **_renamed(documents[0], workload, workload.name),
        "spec": {**spec, "scaleTargetRef": target, **catalog.bounds(workload.replicas)},
    }


def _disruption_budget(documents: list[Manifest], workload: Workload) -> Manifest:
    if not documents:
        return catalog.disruption_budget(workload)
    spec = documents[0].get("spec") or {}
    return {
        **_renamed(documents[0], workload, workload.name),
        "spec": {**spec, "selector": {"matchLabels": workload.selector}},
    }
