"""Reads a cluster, and changes nothing in it. Secrets are not among what is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cli.adopt.facts import Facts, Object, Prometheus, trimmed

# A path of the API -> the answer's status and body.
Ask = Callable[[str], tuple[int, bytes]]

# Kind -> where it is listed in a namespace.
NAMESPACED = {
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "apis/apps/v1/namespaces/{}/daemonsets",
    "CronJob": "apis/batch/v1/namespaces/{}/cronjobs",
    "Pod": "api/v1/namespaces/{}/pods",
    "Service": "api/v1/namespaces/{}/services",
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
    "HorizontalPodAutoscaler": "apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Ingress": "apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}
# Where a kind comes with an operator that may not be there.
BROUGHT = {
    "TargetGroupBinding": "apis/elbv2.k8s.aws/v1beta1/namespaces/{}/targetgroupbindings",
    "Rollout": "apis/argoproj.io/v1alpha1/namespaces/{}/rollouts",
    "PeerAuthentication": "apis/security.istio.io/v1/namespaces/{}/peerauthentications",
}
SERVICES = "api/v1/services"
# Services that a Prometheus is behind, by its usual labels.
PROMETHEUS = (
    ("app.kubernetes.io/name", "prometheus"),
    ("app", "kube-prometheus-stack-prometheus"),
    ("app", "prometheus"),
    ("operated-prometheus", "true"),
)
# So many metric names and alerts are kept.
MOST_NAMES = 5000


def look_at_cluster(facts: Facts, ask: Ask, namespace: str) -> Facts:
    """The facts with what runs in a namespace, and the cluster's Prometheus where one is found."""
    unread = list(facts.unread)
    objects: list[Object] = []
    for kind, path in {**NAMESPACED, **BROUGHT}.items():
        status, found = _listed(ask, path.format(namespace), kind)
        objects += found
        if status != 200 and not (status == 404 and kind in BROUGHT):
            unread.append(f"{kind}s of namespace {namespace}: the cluster answered {status}")
    status, body = ask(f"/api/v1/namespaces/{namespace}")
    if status == 200:
        objects.append(trimmed({**msgspec.json.decode(body), "kind": "Namespace"}))
    else:
        unread.append(f"namespace {namespace} itself (a mesh's labels): the cluster answered {status}")
    prometheus, trouble = _prometheus(ask)
    return msgspec.structs.replace(
        facts,
        namespace=namespace,
        objects=tuple(objects),
        prometheus=prometheus or facts.prometheus,
        unread=(*unread, *trouble),
    )


def namespaces(ask: Ask) -> dict[str, int]:
    """How many Deployments each namespace has; those of the cluster itself left out."""
    _, found = _listed(ask, "apis/apps/v1/deployments", "Deployment")
    counted: dict[str, int] = {}
    for each in found:
        name = each["metadata"].get("namespace", "")
        if not name.startswith("kube-") and name not in ("monitoring", "cert-manager", "karpenter", "keda"):
            counted[name] = counted.get(name, 0) + 1
    return counted


def _listed(ask: Ask, path: str, kind: str) -> tuple[int, list[Object]]:
    status, body = ask(f"/{path}")
    if status != 200:
        return status, []
    answer: Any = msgspec.json.decode(body)
    # Items of a list do not say their kind.
    return status, [trimmed({**each, "kind": kind}) for each in answer.get("items") or []]


def _prometheus(ask: Ask) -> tuple[Prometheus | None, list[str]]:
    """The Prometheus of the cluster, asked through the API server's proxy."""
    _, services = _listed(ask, SERVICES, "Service")
    likely = [
        each
        for each in services
        if any((each["metadata"].get("labels") or {}).get(key) == value for key, value in PROMETHEUS)
    ]
    trouble: list[str] = []
    for each in likely:
        spec = each.get("spec", {})
        ports = [one["port"] for one in spec.get("ports", ()) if one.get("port") in (9090, 80)]
        if not ports:
            continue
        metadata = each["metadata"]
        where = f"{metadata['namespace']}/{metadata['name']}:{ports[0]}"
        proxy = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}:{ports[0]}/proxy"
        status, body = ask(f"{proxy}/api/v1/label/__name__/values")
        if status != 200:
            trouble.append(f"Prometheus {where}: the cluster's proxy answered {status}")
            continue
        return named(where, body, ask(f"{proxy}/api/v1/rules?type=alert")), trouble
    return None, trouble


def named(where: str, metrics: bytes, rules: tuple[int, bytes], *, in_cluster: bool = True) -> Prometheus:
    """A Prometheus by what it answered for its metrics' names and for its rules."""
    told: Any = msgspec.json.decode(metrics)
    alerts: list[str] = []
    if rules[0] == 200:
        answer: Any = msgspec.json.decode(rules[1])
        groups = (answer.get("data") or {}).get("groups") or []
        alerts = [each.get("name", "") for group in groups for each in group.get("rules", ())]
    return Prometheus(
        where,
        tuple((told.get("data") or [])[:MOST_NAMES]),
        tuple(dict.fromkeys(each for each in alerts if each))[:MOST_NAMES],
        in_cluster,
    )
