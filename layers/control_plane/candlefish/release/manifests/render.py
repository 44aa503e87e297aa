"""A slot's Kubernetes objects, rendered from the catalog.

Who owns `spec.replicas`: nobody who applies. A Deployment is applied without the field, so
server-side apply never takes it from the HorizontalPodAutoscaler or from the scale subresource,
which are the only two that write it.
"""

from __future__ import annotations

from candlefish.catalog.model import Autoscale, Replicas, Service
from candlefish.release.manifests import stateful
from candlefish.release.manifests.heads import owned, shared
from candlefish.release.manifests.model import ROLE_NOTE, Workload
from candlefish.release.manifests.network import network_policy
from candlefish.release.manifests.pod import pod_template, port_name
from candlefish.release.manifests.secrets import secret_objects
from candlefish.release.model import Manifest

# HTTP/2 without TLS, as Kubernetes calls it; gRPC is spoken over it.
H2C = "kubernetes.io/h2c"


def render(workload: Workload) -> tuple[Manifest, ...]:
    """Every object of a slot, in the order in which they should be applied."""
    kind = workload.service.kind
    if kind == "stateful":
        return (
            *service_account(workload),
            *secret_objects(workload),
            stateful.among_themselves(network_policy(workload), workload),
            *stateful.headless_service(workload, service_port(workload.service)),
            stateful.one_at_a_time(workload),
            stateful.stateful_set(workload),
        )
    return (
        *service_account(workload),
        *secret_objects(workload),
        network_policy(workload),
        *((service(workload),) if kind != "worker" else ()),
        *((target_group_binding(workload),) if kind == "web" else ()),
        disruption_budget(workload),
        deployment(workload),
        autoscaler(workload),
    )


def service_account(workload: Workload) -> tuple[Manifest, ...]:
    """The identity that both slots share; with IRSA its role stands there. None where the catalog names another one."""
    if workload.service.service_account:
        return ()
    manifest = shared("v1", "ServiceAccount", workload)
    if workload.role and workload.environment.identity_by == "irsa":
        manifest["metadata"]["annotations"][ROLE_NOTE] = workload.role
    return ({**manifest, "automountServiceAccountToken": False},)


def service(workload: Workload) -> Manifest:
    """The slot's Service. Its selector never changes: slots alternate, traffic moves by weight."""
    return {
        **owned("v1", "Service", workload),
        "spec": {
            "type": "ClusterIP",
            "selector": workload.selector,
            "ports": [service_port(workload.service)],
        },
    }


def service_port(of: Service) -> Manifest:
    """The port of a Service of Kubernetes, which says what is spoken there where that is not HTTP/1.1."""
    port = {"name": port_name(of), "port": of.port, "targetPort": of.port, "protocol": "TCP"}
    return port if of.protocol == "http1" else {**port, "appProtocol": H2C}


def target_group_binding(workload: Workload, port: int | str = "") -> Manifest:
    """Keeps the slot's ready Pods registered in its target group (AWS Load Balancer Controller)."""
    return {
        **owned("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", workload),
        "spec": {
            "serviceRef": {"name": workload.name, "port": port or workload.service.port},
            "targetGroupARN": workload.target_group,
            "targetType": "ip",
        },
    }


def disruption_budget(workload: Workload) -> Manifest:
    """At most a quarter of the Pods may be evicted at once. Rounded up, so a node can always drain."""
    return {
        **owned("policy/v1", "PodDisruptionBudget", workload),
        "spec": {"maxUnavailable": "25%", "selector": {"matchLabels": workload.selector}},
    }


def deployment(workload: Workload) -> Manifest:
    """The slot's Deployment, without `replicas` (see the module's text)."""
    head = owned("apps/v1", "Deployment", workload)
    return {
        **head,
        "metadata": {**head["metadata"], "annotations": workload.deployment_notes},
        "spec": {
            "selector": {"matchLabels": workload.selector},
            "strategy": update_strategy(),
            "progressDeadlineSeconds": max(1, round(workload.ready_within)),
            "revisionHistoryLimit": 3,
            "template": pod_template(workload),
        },
    }


def update_strategy() -> Manifest:
    """Never fewer Pods than asked for, at most a quarter more."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}}


def autoscaler(workload: Workload) -> Manifest:
    """The slot's autoscaler. It rests by itself while the Deployment is scaled to 0.

    Source: Kubernetes, Horizontal Pod Autoscaling, "implicit maintenance-mode deactivation".
    """
    return {
        **owned("autoscaling/v2", "HorizontalPodAutoscaler", workload),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            **bounds(workload.replicas),
            "metrics": scaled_by(workload.service.autoscale, workload.replicas),
            # Up at once, down only after five quiet minutes.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def scaled_by(wanted: Autoscale, replicas: Replicas) -> list[Manifest]:
    """What the autoscaler aims for: the catalog's metrics, or CPU alone."""
    usage = {"cpu": wanted.cpu, "memory": wanted.memory}
    if wanted.empty:
        usage["cpu"] = replicas.target_cpu_percent
    made: list[Manifest] = [
        {
            "type": "Resource",
            "resource": {
                "name": name,
                "target": {"type": "Utilization", "averageUtilization": percent},
            },
        }
        for name, percent in usage.items()
        if percent
    ]
    made += [
        {"type": "Pods", "pods": {"metric": {"name": each.metric}, "target": _average(each.average)}}
        for each in wanted.pods
    ]
    for external in wanted.external:
        selector = {"selector": {"matchLabels": external.labels}} if external.labels else {}
        metric = {"metric": {"name": external.metric, **selector}, "target": _average(external.average)}
        made.append({"type": "External", "external": metric})
    return made


def _average(quantity: str) -> Manifest:
    return {"type": "AverageValue", "averageValue": quantity}


def bounds(replicas: Replicas) -> Manifest:
    """The two fields of an autoscaler that a release moves."""
    return {"minReplicas": max(1, replicas.min), "maxReplicas": max(1, replicas.min, replicas.max)}
