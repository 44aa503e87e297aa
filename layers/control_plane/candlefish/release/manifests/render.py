"""A slot's Kubernetes objects, rendered from the catalog.

Who owns `spec.replicas`: nobody who applies. A Deployment is applied without the field, so
server-side apply never takes it from the HorizontalPodAutoscaler or from the scale subresource,
which are the only two that write it.
"""

from __future__ import annotations

from candlefish.catalog.model import Replicas, Service
from candlefish.release.manifests.model import ROLE_NOTE, SERVICE_LABEL, Store, Workload
from candlefish.release.manifests.pod import pod_template, port_name
from candlefish.release.model import Manifest

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
# Ports of the kinds of stores an environment declares.
STORE_PORTS: dict[Store, int] = {"postgres": 5432, "redis": 6379}
# HTTP/2 without TLS, as Kubernetes calls it; gRPC is spoken over it.
H2C = "kubernetes.io/h2c"


def render(workload: Workload) -> tuple[Manifest, ...]:
    """Every object of a slot, in the order in which they should be applied."""
    kind = workload.service.kind
    return (
        service_account(workload),
        network_policy(workload),
        *((service(workload),) if kind != "worker" else ()),
        *((target_group_binding(workload),) if kind == "web" else ()),
        disruption_budget(workload),
        deployment(workload),
        autoscaler(workload),
    )


def service_account(workload: Workload) -> Manifest:
    """The identity that both slots share; its role comes from IRSA."""
    manifest = shared("v1", "ServiceAccount", workload)
    if workload.role:
        manifest["metadata"]["annotations"][ROLE_NOTE] = workload.role
    return {**manifest, "automountServiceAccountToken": False}


def network_policy(workload: Workload) -> Manifest:
    """In: only the service's port. Out: DNS, HTTPS, its dependencies, the environment's stores."""
    stores = [STORE_PORTS[store] for store in workload.stores]
    egress: list[Manifest] = [
        {
            "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
            "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
        },
        {"ports": [{"protocol": "TCP", "port": 443}]},
    ]
    egress += [
        {
            "to": [{"podSelector": {"matchLabels": {SERVICE_LABEL: other.name}}}],
            "ports": [{"protocol": "TCP", "port": other.port}],
        }
        for other in workload.dependencies
        # Nobody calls a worker: that one is only released first.
        if other.kind != "worker"
    ]
    if stores:
        egress.append(
            {
                "to": [{"ipBlock": {"cidr": cidr}} for cidr in PRIVATE],
                "ports": [{"protocol": "TCP", "port": port} for port in stores],
            }
        )
    return {
        **owned("networking.k8s.io/v1", "NetworkPolicy", workload),
        "spec": {
            "podSelector": {"matchLabels": workload.selector},
            "policyTypes": ["Ingress", "Egress"],
            # The load balancer reaches Pods from its own subnets, which are not Pods one could select.
            "ingress": [
                {"ports": [{"protocol": "TCP", "port": port}]} for port in [workload.service.port] if port
            ],
            "egress": egress,
        },
    }


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
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "averageUtilization": workload.replicas.target_cpu_percent,
                        },
                    },
                }
            ],
            # Up at once, down only after five quiet minutes.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def bounds(replicas: Replicas) -> Manifest:
    """The two fields of an autoscaler that a release moves."""
    return {"minReplicas": max(1, replicas.min), "maxReplicas": max(1, replicas.min, replicas.max)}


def owned(api_version: str, kind: str, workload: Workload) -> Manifest:
    """Head of an object that belongs to one slot."""
    metadata = {
        "name": workload.name,
        "namespace": workload.namespace,
        "labels": workload.labels,
        "annotations": {**workload.notes, **workload.fence},
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def shared(api_version: str, kind: str, workload: Workload) -> Manifest:
    """Head of an object that both slots use."""
    metadata = {
        "name": workload.service.name,
        "namespace": workload.namespace,
        "labels": workload.shared_labels,
        "annotations": workload.fence,
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
