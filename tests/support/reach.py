"""What a slot's objects reach beyond their service: nothing, whatever the bundle was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from candlefish.release.manifests import Workload
from candlefish.release.model import Manifest
from lab.kube.pod_security import violations

KINDS = {
    "ServiceAccount",
    "NetworkPolicy",
    "ConfigMap",
    "ExternalSecret",
    "SecretProviderClass",
    "Service",
    "TargetGroupBinding",
    "PodDisruptionBudget",
    "Deployment",
    "HorizontalPodAutoscaler",
}


def beyond(objects: Sequence[Manifest], workload: Workload) -> list[str]:
    """Everything about them that is not the service's own, in words of this test; written without the product's code."""
    return [*_names(objects, workload), *_contents({each["kind"]: each for each in objects}, workload)]


def _belongs(name: str, workload: Workload) -> bool:
    service = workload.service.name
    longer = [s for s in workload.services if len(s) > len(service)]
    own = name == service or name.startswith(service + "-")
    return own and not any(name == s or name.startswith(s + "-") for s in longer)


def _names(objects: Sequence[Manifest], workload: Workload) -> Iterator[str]:
    seen = set()
    for each in objects:
        kind, metadata = each["kind"], each["metadata"]
        name = metadata["name"]
        if kind not in KINDS:
            yield f"kind {kind}"
        if metadata["namespace"] != workload.namespace:
            yield f"{kind} in namespace {metadata['namespace']}"
        if set(metadata) - {"name", "namespace", "labels", "annotations"}:
            yield f"{kind} {name} with {sorted(metadata)}"
        if (kind, name) in seen:
            yield f"{kind} {name} twice"
        seen.add((kind, name))
        if kind == "ServiceAccount":
            if name != workload.service.name:
                yield f"account {name}"
        elif kind in ("ConfigMap", "Service", "ExternalSecret", "SecretProviderClass"):
            if not (_belongs(name, workload) and name.endswith(f"-{workload.slot}")):
                yield f"{kind} {name}"
        elif name != f"{workload.service.name}-{workload.slot}":
            yield f"{kind} {name}"
        tags = [metadata]
        if kind == "Deployment":
            tags.append(each["spec"]["template"]["metadata"])
        for tag in tags:
            yield from _tags(tag, workload)


def _tags(metadata: Manifest, workload: Workload) -> Iterator[str]:
    labels, notes = metadata["labels"] or {}, metadata.get("annotations") or {}
    if labels["candlefish.ai/service"] != workload.service.name:
        yield f"labels {labels}"
    others = {s for s in workload.services if s != workload.service.name}
    yield from (f"label {k}={v}" for k, v in labels.items() if v in others)
    foreign = ("amazonaws.com", "elbv2", "external-dns", "k8s.aws", "istio", "karpenter")
    for key in (*labels, *notes):
        if any(word in key for word in foreign) and notes.get(key) != workload.role:
            yield f"label or annotation {key}"


def _contents(made: dict[str, Manifest], workload: Workload) -> Iterator[str]:
    slot = {"candlefish.ai/service": workload.service.name, "candlefish.ai/slot": workload.slot}
    for kind, selector in (
        ("Service", made["Service"]["spec"]["selector"]),
        ("NetworkPolicy", made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]),
        ("PodDisruptionBudget", made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]),
        ("Deployment", made["Deployment"]["spec"]["selector"]["matchLabels"]),
    ):
        if selector != slot:
            yield f"{kind} selects {selector}"
    if set(made["Service"]["spec"]) - {
        "type", "selector", "ports", "clusterIP", "sessionAffinity", "internalTrafficPolicy", "publishNotReadyAddresses",
    }:  # fmt: skip
        yield f"Service {sorted(made['Service']['spec'])}"
    if made["NetworkPolicy"]["spec"]["policyTypes"] != ["Ingress", "Egress"]:
        yield "a policy that leaves a direction open"
    target = made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    if target["name"] != f"{workload.service.name}-{workload.slot}":
        yield f"autoscaler of {target}"
    template = made["Deployment"]["spec"]["template"]
    pod: Any = template["spec"]
    if pod["serviceAccountName"] != workload.service.name or pod["automountServiceAccountToken"] is not False:
        yield "another account"
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        repository, _, digest = container["image"].partition("@sha256:")
        allowed = container["image"] == workload.image or (
            repository in workload.service.sidecars and len(digest) == 64
        )
        if not allowed:
            yield f"image {container['image']}"
    yield from violations("restricted", template["metadata"], pod)
    for secret in _secrets(pod, workload.service.image_pull_secrets):
        if not _belongs(secret, workload):
            yield f"secret {secret}"


def _secrets(node: Any, pulls: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("secret", "secretRef", "secretKeyRef", "persistentVolumeClaim"):
                yield value.get("secretName") or value.get("claimName") or value.get("name")
            elif key == "imagePullSecrets":
                yield from (each["name"] for each in value if each["name"] not in pulls)
            yield from _secrets(value, pulls)
    elif isinstance(node, list):
        for item in node:
            yield from _secrets(item, pulls)
