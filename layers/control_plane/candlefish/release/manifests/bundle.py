"""A slot's objects from a bundle that `helm template` wrote.

A bundle is a JSON array of Kubernetes objects (the command line turns Helm's YAML into it). Here
the slot is applied to it: names, selectors, labels and references of everything that belongs to a
version get the slot; the image becomes the release's, by digest; what the bundle lacks is rendered
from the catalog; what could reach beyond its service is refused.

Everything but the ServiceAccount belongs to a version, so each slot has its own, ConfigMaps and
NetworkPolicies too. Were they shared, a candidate would change what the stable slot's Pods read and
reach. The ServiceAccount is shared because a role's trust policy names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from candlefish.errors import InvalidInput
from candlefish.release.manifests import render as catalog
from candlefish.release.manifests.admit import admit, refuse_object
from candlefish.release.manifests.harden import harden
from candlefish.release.manifests.model import MANAGER, ROLE_NOTE, Workload, slot_name
from candlefish.release.model import Manifest


def from_bundle(bundle: Sequence[Manifest], workload: Workload) -> tuple[Manifest, ...]:
    """Every object of the slot, in the order in which they should be applied.

    Raises
    ------
    InvalidInput
        The bundle holds something a release must not touch, or is not one Deployment behind one
        Service, or is no set of Kubernetes objects. The message names the object and what to do.
    """
    try:
        return _slot_of(bundle, workload)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A field is not of the shape that Kubernetes gives it. Only the API knows all shapes.
        raise InvalidInput(
            f"bundle: an object is malformed ({type(error).__name__}: {error}); "
            "check it with: kubectl apply --dry-run=server"
        ) from error


def _slot_of(bundle: Sequence[Manifest], workload: Workload) -> tuple[Manifest, ...]:
    kinds = admit(bundle, workload)
    configs = {d["metadata"]["name"] for d in kinds["ConfigMap"]}
    accounts = kinds["ServiceAccount"]
    deployment = _deployment(kinds["Deployment"][0], workload, configs, own_account=not accounts)
    services = _services(kinds["Service"], deployment, workload)
    port = _traffic_port(services[0], deployment, workload)
    return (
        *([_account(d, workload) for d in accounts] or [catalog.service_account(workload)]),
        *(_renamed(d, workload) for d in kinds["ConfigMap"]),
        *([_policy(d, workload) for d in kinds["NetworkPolicy"]] or [catalog.network_policy(workload)]),
        *services,
        catalog.target_group_binding(workload, port),
        _disruption_budget(kinds["PodDisruptionBudget"], workload),
        deployment,
        _autoscaler(kinds["HorizontalPodAutoscaler"], workload),
    )


def _labelled(document: Manifest, workload: Workload, *, shared: bool = False) -> Manifest:
    """A copy in the release's namespace with the control plane's labels over the chart's."""
    metadata = document["metadata"]
    labels = workload.shared_labels if shared else workload.labels
    # What the chart calls itself stays: network policies of others may select by it.
    kept = {k: v for k, v in (metadata.get("labels") or {}).items() if k != "app.kubernetes.io/managed-by"}
    own = {"app.kubernetes.io/managed-by": MANAGER}
    note = workload.fence if shared else {**workload.notes, **workload.fence}
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


def _policy(document: Manifest, workload: Workload) -> Manifest:
    """The slot's own: a candidate's rules must not bind the stable slot's Pods."""
    made = _renamed(document, workload)
    spec = document.get("spec") or {}
    selector = spec.get("podSelector") or {}
    selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **workload.selector}}
    return {**made, "spec": {**spec, "podSelector": selector}}


def _account(document: Manifest, workload: Workload) -> Manifest:
    made = _labelled(document, workload, shared=True)
    if workload.role:
        made["metadata"]["annotations"].setdefault(ROLE_NOTE, workload.role)
    return made


def _deployment(document: Manifest, workload: Workload, configs: set[str], *, own_account: bool) -> Manifest:
    made = _renamed(document, workload, workload.name)
    made["metadata"]["annotations"].update(workload.deployment_notes)
    # A copy that may be changed: documents are JSON.
    spec = msgspec.json.decode(msgspec.json.encode(document.get("spec") or {}))
    template = spec.get("template") or {}
    if not (template.get("spec") or {}).get("containers"):
        raise refuse_object(document, "has no containers; check the chart's values")
    # The autoscaler and the scale subresource own it (see manifests.render).
    spec.pop("replicas", None)
    labels = {
        **workload.labels,
        **((template.get("metadata") or {}).get("labels") or {}),
        **_candlefish(workload.labels),
    }
    spec["selector"] = {"matchLabels": workload.selector}
    spec["strategy"] = catalog.update_strategy()
    spec["progressDeadlineSeconds"] = max(1, round(workload.ready_within))
    notes = (template.get("metadata") or {}).get("annotations") or {}
    pod = template["spec"]
    if own_account:
        pod["serviceAccountName"] = workload.service.name
    _rename_configs(pod, configs, workload)
    harden(pod, workload, partial(refuse_object, document))
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
        (d for d in documents if d["metadata"]["name"] == name), documents[0] if len(documents) == 1 else None
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
            raise refuse_object(
                document, f"has type {spec['type']}; the load balancer reaches Pods directly, use ClusterIP"
            )
        if (selector := spec.get("selector")) and not selector.items() <= pod_labels.items():
            raise refuse_object(
                document, "does not select the Deployment's Pods; a bundle holds one workload"
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
    raise refuse_object(service, f"no port of it leads to {wanted}, the service's port in the catalog")


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
