"""How objects of Kubernetes belong together, and what a Pod's container says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from candlefish.catalog.model.scalars import NAME
from candlefish.release.manifests.values import amount
from cli.adopt.facts import Facts, Group, Object, Rule

# Containers that stand beside the service's own in many clusters.
SIDECARS = re.compile(
    r"(?:istio-proxy|linkerd-proxy|envoy|datadog-agent|fluent-?bit|vault-agent|cloudsql-proxy|xray-daemon|otel-.*|aws-otel-collector)"
)


def name_of(found: Object) -> str:
    return str(found["metadata"]["name"])


def is_name(name: str) -> bool:
    """Whether the catalog can have a service of this name."""
    return re.fullmatch(NAME, name) is not None


def said(found: Object) -> str:
    """An object in words: `Deployment shop/cart`."""
    metadata = found["metadata"]
    return f"{found['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def called(facts: Facts, words: str) -> Object:
    """The workload that is called so in words."""
    return next(each for each in facts.of("Deployment", "StatefulSet") if said(each) == words)


def labels_of(found: Object) -> dict[str, str]:
    return found["metadata"].get("labels") or {}


def annotations_of(found: Object) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def template_of(workload: Object) -> Object:
    """The Pod template of a Deployment."""
    found: Object = workload.get("spec", {}).get("template", {})
    return found


def containers_of(workload: Object) -> list[Object]:
    found: list[Object] = template_of(workload).get("spec", {}).get("containers") or []
    return found


def own_container(workload: Object) -> Object:
    """The container that is the service: the one that is called so, or the first that is no known sidecar."""
    found = containers_of(workload)
    named = [each for each in found if each.get("name") == name_of(workload)]
    rest = [each for each in found if not SIDECARS.fullmatch(each.get("name", ""))]
    return (named or rest or found or [{}])[0]


def services_of(workload: Object, facts: Facts) -> list[Object]:
    """The Services that send to a workload's Pods."""
    labels = template_of(workload).get("metadata", {}).get("labels") or {}
    return [
        each
        for each in facts.of("Service")
        if (selector := each.get("spec", {}).get("selector")) and selector.items() <= labels.items()
    ]


def scaler_of(workload: Object, facts: Facts) -> Object | None:
    """The autoscaler of a workload."""
    for each in facts.of("HorizontalPodAutoscaler"):
        target = each.get("spec", {}).get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == (workload["kind"], name_of(workload)):
            return each
    return None


def port_of(service: Object, workload: Object) -> int:
    """The port of a workload's container that a Service sends to; 0 where that cannot be told."""
    named = {
        one.get("name"): one.get("containerPort", 0) for one in own_container(workload).get("ports") or []
    }
    for one in service.get("spec", {}).get("ports") or []:
        target = one.get("targetPort", one.get("port"))
        if isinstance(target, str) and not target.isdigit():
            if found := named.get(target):
                return int(found)
        elif target:
            return int(target)
    return 0


def ingress_of(services: list[Object], facts: Facts) -> Iterator[tuple[Object, str, str]]:
    """Ingress, host and path of every way that leads to one of some Services."""
    names = {name_of(each) for each in services}
    for ingress in facts.of("Ingress"):
        spec = ingress.get("spec", {})
        for rule in spec.get("rules") or []:
            for path in (rule.get("http") or {}).get("paths") or []:
                if (path.get("backend") or {}).get("service", {}).get("name") in names:
                    yield ingress, rule.get("host", ""), path.get("path", "/")


def bindings_of(services: list[Object], facts: Facts) -> list[Object]:
    """The TargetGroupBindings of some Services."""
    names = {name_of(each) for each in services}
    return [
        each
        for each in facts.of("TargetGroupBinding")
        if each.get("spec", {}).get("serviceRef", {}).get("name") in names
    ]


def groups_of(bindings: list[Object], facts: Facts) -> list[Group]:
    """The target groups that some bindings fill."""
    arns = {each.get("spec", {}).get("targetGroupARN") for each in bindings}
    return [each for each in facts.groups if each.arn in arns]


def rules_to(groups: list[Group], facts: Facts) -> Iterator[tuple[str, Rule]]:
    """The rules that forward to some target groups, each with its load balancer's name."""
    arns = {each.arn for each in groups}
    for balancer in facts.balancers:
        for listener in balancer.listeners:
            for rule in listener.rules:
                if arns & rule.groups.keys():
                    yield balancer.name, rule


def cores(quantity: Any) -> str:
    """CPU as the catalog has it; empty where nothing is said."""
    number = amount(quantity or "")
    if number < 0:
        return ""
    return f"{number:g}" if number == int(number) and number else f"{max(1, round(number * 1000))}m"


def memory(quantity: Any) -> str:
    """Memory as the catalog has it, with a binary unit, rounded up; empty where nothing is said."""
    number = amount(quantity or "")
    if number < 0:
        return ""
    for unit in ("Gi", "Mi"):
        size = amount(f"1{unit}")
        if number >= size and number % size == 0:
            return f"{int(number / size)}{unit}"
    return f"{max(1, -(-int(number) // 2**20))}Mi"


def digest_of(workload: Object, facts: Facts) -> str:
    """The digest of the image that runs in a workload's Pods, as `sha256:...`; empty where they are not of one mind."""
    container = own_container(workload)
    written = str(container.get("image", "")).partition("@")[2]
    if written:
        return written
    labels: Mapping[str, str] = (workload.get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    ran = {
        each["imageID"].rpartition("@")[2]
        for pod in facts.of("Pod")
        if labels and labels.items() <= labels_of(pod).items()
        for each in pod.get("status", {}).get("containerStatuses", ())
        if each.get("name") == container.get("name") and "@sha256:" in each.get("imageID", "")
    }
    return ran.pop() if len(ran) == 1 else ""
