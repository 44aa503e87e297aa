"""What a bundle may hold, and why something else is refused."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.errors import InvalidInput
from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest

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
AT_MOST_ONE = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceAccount")

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


def admit(bundle: Sequence[Manifest], workload: Workload) -> dict[str, list[Manifest]]:
    """The bundle's objects by kind.

    Raises
    ------
    InvalidInput
        It holds something that a release must not touch, or not one Deployment.
    """
    for document in bundle:
        _check(document, workload)
    kinds = {kind: [d for d in bundle if d["kind"] == kind] for kind in ALLOWED}
    _check_counts(kinds)
    return kinds


def refuse_object(document: Manifest, why: str) -> InvalidInput:
    """The error that refuses a bundle because of one of its objects."""
    return InvalidInput(f"bundle: {_title(document)}: {why}")


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
        raise refuse_object(
            document, "not a Kubernetes object (kind, metadata.name); upload what helm template printed"
        )
    if kind in REFUSED:
        raise refuse_object(document, f"not allowed in a bundle: {REFUSED[kind]}")
    if kind not in ALLOWED:
        raise refuse_object(document, f"not allowed in a bundle, only {', '.join(ALLOWED)} are; {_ELSEWHERE}")
    if version != ALLOWED[kind]:
        raise refuse_object(document, f"has apiVersion {version}; write {ALLOWED[kind]}")
    if (namespace := metadata.get("namespace", workload.namespace)) != workload.namespace:
        raise refuse_object(
            document,
            f"is for namespace {namespace}, the release for {workload.namespace}; "
            f"render with: helm template --namespace {workload.namespace}",
        )
    if any(note.startswith("helm.sh/hook") for note in metadata.get("annotations") or {}):
        raise refuse_object(
            document, "is a Helm hook, which only Helm runs; render with: helm template --no-hooks"
        )
    if metadata.get("generateName"):
        raise refuse_object(
            document, "has generateName, so it would be a new object every time; give it a name"
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
            raise refuse_object(kinds[kind][1], f"the bundle holds more than one {kind}; a slot has one")
