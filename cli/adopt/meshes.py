"""What a service mesh of today's means for the way over. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cli.adopt import workloads as of
from cli.adopt.facts import Facts, Object
from cli.adopt.proposal import Obstacle, ServiceProposal

INJECTION, REVISION, AMBIENT = "istio-injection", "istio.io/rev", "istio.io/dataplane-mode"
OWN, LINKERD = "sidecar.istio.io/inject", "linkerd.io/inject"
ROUTES = (
    "users are moved at the load balancer, and the mesh is not told: routes, retries and subsets of a VirtualService or "
    "DestinationRule go on leading to what runs today, and do not see the slots"
)


def around(facts: Facts) -> Iterator[Obstacle]:
    """What the namespace itself says of a mesh."""
    for each in facts.of("Namespace"):
        name = f"namespace {of.name_of(each)}"
        if said := _injects(each):
            yield Obstacle(
                name,
                f"{said} has a mesh put a sidecar into every Pod that is made here, so into the slots' Pods too, which "
                "get its wait at the start, its CPU and its memory on top of `resources`",
                f"{ROUTES}. Pod Security `restricted` takes injected Pods only where the mesh's CNI plugin is installed",
            )
        elif of.labels_of(each).get(AMBIENT) == "ambient":
            yield Obstacle(
                name,
                f"label {AMBIENT}=ambient puts its Pods behind Istio's node proxies, the slots' Pods too",
                ROUTES,
            )


def of_service(service: ServiceProposal, workload: Object, facts: Facts) -> Iterator[Obstacle]:
    """What a mesh means for one service: a sidecar that its Pods alone ask for, and what a load balancer cannot speak."""
    template = of.template_of(workload)
    own = {**of.annotations_of(template), **of.labels_of(template)} if template.get("metadata") else {}
    spaces = facts.of("Namespace")
    everywhere = any(_injects(each) or of.labels_of(each).get(AMBIENT) == "ambient" for each in spaces)
    refused = own.get(OWN) == "false" or own.get(LINKERD) == "disabled"
    asked = next((key for key in (OWN, REVISION, LINKERD) if key in own), "")
    if refused and everywhere:
        yield Obstacle(
            service.name,
            f"its Pods say {asked}={own[asked]} and have no sidecar today; the slots' Pods would get one",
            f'write `annotations: {{{asked}: "{own[asked]}"}}` in services.yaml',
        )
    elif asked and not refused and not everywhere:
        yield Obstacle(
            service.name,
            f"its Pods ask for a mesh's sidecar ({asked}={own[asked]}), and the slots' Pods would not",
            "release it with its chart (`candlefish bundle`), whose Pods keep their labels, where the slots' shall have one. "
            f"{ROUTES[0].upper()}{ROUTES[1:]}",
        )
    if everywhere and not refused and service.fields["kind"].value == "web":
        for each in facts.of("PeerAuthentication"):
            spec = each.get("spec", {})
            if (spec.get("mtls") or {}).get("mode") == "STRICT" and not spec.get("selector"):
                yield Obstacle(
                    service.name,
                    f"{of.said(each)} takes mutual TLS alone (STRICT), which a load balancer does not speak: no target of "
                    "its slots would get healthy",
                    "before the first release let its port take both: a PeerAuthentication with a selector for "
                    f"app.kubernetes.io/name={service.name} and PERMISSIVE in portLevelMtls",
                    blocks=True,
                )


def _injects(namespace: Object) -> str:
    """The label or annotation by which a namespace has sidecars injected; empty where none does.

    Istio goes by `istio-injection` first, whatever the revision says.
    """
    labels, annotations = of.labels_of(namespace), of.annotations_of(namespace)
    if INJECTION in labels:
        return f"label {INJECTION}=enabled" if labels[INJECTION] == "enabled" else ""
    if labels.get(REVISION):
        return f"label {REVISION}={labels[REVISION]}"
    return f"annotation {LINKERD}={annotations[LINKERD]}" if annotations.get(LINKERD) == "enabled" else ""
