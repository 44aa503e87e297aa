"""Who may connect to a slot's Pods, and where they may connect to: the catalog's network policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from candlefish.release.manifests.heads import owned
from candlefish.release.manifests.model import SERVICE_LABEL, Store, Workload
from candlefish.release.model import Manifest

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
# Ports of the kinds of stores an environment declares.
STORE_PORTS: dict[Store, int] = {"postgres": 5432, "redis": 6379}
NAMESPACE_NAME = "kubernetes.io/metadata.name"


def network_policy(workload: Workload) -> Manifest:
    """In: who may call it, on the service's port. Out: DNS, HTTPS, its dependencies, the environment's stores, `egress`."""
    return {
        **owned("networking.k8s.io/v1", "NetworkPolicy", workload),
        "spec": {
            "podSelector": {"matchLabels": workload.selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": list(_ingress(workload)),
            "egress": list(_egress(workload)),
        },
    }


def _ingress(workload: Workload) -> Iterator[Manifest]:
    # Without networks the load balancer cannot be told from anybody: its addresses are no Pods that one could select.
    # Nor are callers known of a version that was released when nobody wrote them down.
    if workload.service.port and (not workload.environment.ingress_cidrs or workload.callers is None):
        yield {"ports": _ports((workload.service.port,))}
    yield from declared_ingress(workload)


def declared_ingress(workload: Workload) -> Iterator[Manifest]:
    """Whom the catalog lets in by name, on every path.

    The load balancer sends from addresses of its own (targets are Pods' addresses), which `ingress_cidrs` names.
    Probes come from the Pod's own node, which Kubernetes always lets in. Nobody calls a worker.
    """
    service, networks = workload.service, workload.environment.ingress_cidrs
    if service.port and networks and workload.callers is not None:
        balancer = [{"ipBlock": {"cidr": cidr}} for cidr in networks] if service.kind == "web" else []
        callers = [_pods_of(name) for name in (service.name, *workload.callers)]
        yield {"ports": _ports((service.port,)), "from": [*balancer, *callers]}
    for rule in service.ingress:
        if ports := rule.ports or ((service.port,) if service.port else ()):
            yield {"ports": _ports(ports), "from": [peer(rule.source)]}
    if service.prometheus and (port := service.prometheus.port or service.port):
        yield {"ports": _ports((port,)), "from": [{"namespaceSelector": {}}]}


def _egress(workload: Workload) -> Iterator[Manifest]:
    yield {
        "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
    yield {"ports": _ports((443,))}
    for other in workload.dependencies:
        # Nobody calls a worker: that one is only released first.
        if other.kind != "worker":
            yield {"to": [_pods_of(other.name)], "ports": _ports((other.port,))}
    if stores := [STORE_PORTS[store] for store in workload.stores]:
        yield {"to": [{"ipBlock": {"cidr": cidr}} for cidr in PRIVATE], "ports": _ports(stores)}
    yield from declared_egress(workload)


def declared_egress(workload: Workload) -> Iterator[Manifest]:
    """What the catalog opens by name, on every path."""
    for rule in workload.service.egress:
        yield {"to": [peer(rule.to)], "ports": _ports(rule.ports, rule.protocol)}


def peer(written: str) -> Manifest:
    """The peer of a network policy that the catalog writes as a network, `service/<name>` or `namespace/<name>`."""
    kind, _, name = written.partition("/")
    if kind == "service":
        return _pods_of(name)
    if kind == "namespace":
        return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: name}}}
    return {"ipBlock": {"cidr": written}}


def _pods_of(service: str) -> Manifest:
    return {"podSelector": {"matchLabels": {SERVICE_LABEL: service}}}


def _ports(numbers: Iterable[int], protocol: str = "tcp") -> list[Manifest]:
    return [{"protocol": protocol.upper(), "port": number} for number in numbers]
