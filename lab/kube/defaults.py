"""What the API server fills in where a written object says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lab.kube.runtime import Object

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_POD = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
}
_CONTAINER = {
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
_ROLLING = {"maxUnavailable": "25%", "maxSurge": "25%"}


def with_defaults(value: Object) -> Object:
    """A copy of an object with its kind's defaults."""
    fill = _BY_KIND.get(value["kind"])
    if fill is None:
        return value
    return {**value, "spec": fill(value.get("spec") or {})}


def _deployment(spec: dict[str, Any]) -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", **(spec.get("strategy") or {})}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {**_ROLLING, **(strategy.get("rollingUpdate") or {})}
    return {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        **spec,
        "strategy": strategy,
        "template": _template(spec.get("template") or {}),
    }


def _template(template: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {}, **template, "spec": _pod(template.get("spec") or {})}


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    made = {**_POD, **spec}
    if "serviceAccountName" in made:
        # The deprecated name is kept alike.
        made["serviceAccount"] = made["serviceAccountName"]
    for field in ("initContainers", "containers"):
        if spec.get(field):
            made[field] = [_container(each) for each in spec[field]]
    return made


def _container(container: dict[str, Any]) -> dict[str, Any]:
    made = {**_CONTAINER, **container}
    for field in ("startupProbe", "readinessProbe", "livenessProbe"):
        if container.get(field):
            probe = {**_PROBE, **container[field]}
            if "httpGet" in probe:
                probe["httpGet"] = {"path": "/", "scheme": "HTTP", **probe["httpGet"]}
            made[field] = probe
    if container.get("ports"):
        made["ports"] = [{"protocol": "TCP", **port} for port in container["ports"]]
    return made


def _service(spec: dict[str, Any]) -> dict[str, Any]:
    ports = [{"protocol": "TCP", "targetPort": each.get("port"), **each} for each in spec.get("ports") or []]
    return {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        **spec,
        "ports": ports,
    }


def _autoscaler(spec: dict[str, Any]) -> dict[str, Any]:
    return {"minReplicas": 1, **spec}


def _network_policy(spec: dict[str, Any]) -> dict[str, Any]:
    kinds = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    made = {"podSelector": {}, "policyTypes": kinds, **spec}
    for field in ("ingress", "egress"):
        if field in spec:
            made[field] = [_rule(rule) for rule in spec[field]]
    return made


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    return (
        {**rule, "ports": [{"protocol": "TCP", **port} for port in rule["ports"]]}
        if "ports" in rule
        else rule
    )


def _job(spec: dict[str, Any]) -> dict[str, Any]:
    made = {"completions": 1, "parallelism": 1, "backoffLimit": 6, "suspend": False, **spec}
    return {**made, "template": _template(spec.get("template") or {})}


def _cron_job(spec: dict[str, Any]) -> dict[str, Any]:
    template = spec.get("jobTemplate") or {}
    job = template.get("spec") or {}
    return {
        "suspend": False,
        "concurrencyPolicy": "Allow",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
        **spec,
        # The Job's own are filled in when one is made.
        "jobTemplate": {
            "metadata": {},
            **template,
            "spec": {**job, "template": _template(job.get("template") or {})},
        },
    }


def _stateful_set(spec: dict[str, Any]) -> dict[str, Any]:
    made = {"replicas": 1, "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10, **spec}
    strategy = {"type": "RollingUpdate", **(spec.get("updateStrategy") or {})}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0, **(strategy.get("rollingUpdate") or {})}
    claims = [
        {**each, "spec": {"volumeMode": "Filesystem", **each["spec"]}, "status": {"phase": "Pending"}}
        for each in spec.get("volumeClaimTemplates") or []
    ]
    kept = {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
        **(spec.get("persistentVolumeClaimRetentionPolicy") or {}),
    }
    return {
        **made,
        **({"volumeClaimTemplates": claims} if claims else {}),
        "updateStrategy": strategy,
        "persistentVolumeClaimRetentionPolicy": kept,
        "template": _template(spec.get("template") or {}),
    }


_BY_KIND: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Deployment": _deployment,
    "ReplicaSet": lambda spec: {"replicas": 1, **spec, "template": _template(spec.get("template") or {})},
    "StatefulSet": _stateful_set,
    "Pod": _pod,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
    "Job": _job,
    "CronJob": _cron_job,
}


def cluster_addresses() -> Iterator[str]:
    """Addresses for Services, in order."""
    for high in range(256):
        for low in range(1, 255):
            yield f"10.100.{high}.{low}"
