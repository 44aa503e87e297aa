"""The kinds a release applies: where the API serves them, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from candlefish.errors import InvalidInput

# (apiVersion, kind) -> plural. Identity and configuration first, then what finds Pods, then the Pods.
PLURALS = {
    ("v1", "ServiceAccount"): "serviceaccounts",
    ("v1", "ConfigMap"): "configmaps",
    ("external-secrets.io/v1", "ExternalSecret"): "externalsecrets",
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): "secretproviderclasses",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    ("v1", "Service"): "services",
    ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding"): "targetgroupbindings",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
    ("batch/v1", "CronJob"): "cronjobs",
}
_RANK = {key: rank for rank, key in enumerate(PLURALS)}
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments/{}"
STATEFUL_SETS = "/apis/apps/v1/namespaces/{}/statefulsets/{}"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}"
CRON_JOBS = "/apis/batch/v1/namespaces/{}/cronjobs"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
SERVICES = "/api/v1/namespaces/{}/services"
NAMESPACES = "/api/v1/namespaces/{}"
CLAIMS = "/api/v1/namespaces/{}/persistentvolumeclaims/{}"
# What finds Pods by their labels: where the API lists it.
SELECTING = {
    "Service": "/api/v1/namespaces/{}/services",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


def in_apply_order(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects in the order in which they should be applied.

    Raises
    ------
    InvalidInput
        One of them is of a kind that a release does not apply.
    """
    listed = list(objects)
    for each in listed:
        if _key(each) not in PLURALS:
            raise InvalidInput(f"a release does not apply {title(each)} ({each.get('apiVersion')})")
    return sorted(listed, key=lambda each: _RANK[_key(each)])


def path_of(manifest: dict[str, Any]) -> str:
    """Where the API serves an object."""
    version, metadata = manifest["apiVersion"], manifest["metadata"]
    root = "/apis" if "/" in version else "/api"
    namespace, name = quote(metadata["namespace"]), quote(metadata["name"])
    return f"{root}/{version}/namespaces/{namespace}/{PLURALS[_key(manifest)]}/{name}"


def title(manifest: dict[str, Any]) -> str:
    """What to call an object in a message."""
    metadata = manifest.get("metadata") or {}
    return f"{manifest.get('kind')} {metadata.get('name')} in {metadata.get('namespace')}"


def _key(manifest: dict[str, Any]) -> tuple[str, str]:
    return manifest.get("apiVersion", ""), manifest.get("kind", "")
