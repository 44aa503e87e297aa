"""What a chart's Pod gets where it says nothing, and what it may not ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

from candlefish.release.manifests import pod as ours
from candlefish.release.manifests.model import Manifest, Workload

Refuse = Callable[[str], NoReturn]

# Fields that hand a Pod the node, or more rights than a service needs.
HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "nodeName")


def harden(pod: Manifest, workload: Workload, refuse: Refuse) -> None:
    """Fill in a Pod specification in place: what the chart sets stands, unless it asks for the host.

    The container whose image comes from the service's repository gets the release's image. All
    others must be pinned, so that one bundle is always the same release.
    """
    for field in HOST_FIELDS:
        if pod.get(field):
            refuse(f"sets {field}; a service may not have the node, remove it from the chart")
    for volume in pod.get("volumes") or []:
        if "hostPath" in volume:
            refuse(f"mounts the node's {volume['hostPath'].get('path')}; use emptyDir or a claim")
    low_port = workload.service.low_port
    context = pod.setdefault("securityContext", {})
    _fill(context, ours.pod_security(workload.service.port, low_port=low_port))
    if context.get("runAsUser") == 0 or context["runAsNonRoot"] is not True:
        refuse("runs as root; set runAsNonRoot: true and a runAsUser above 0")
    pod.setdefault("automountServiceAccountToken", False)
    pod.setdefault("enableServiceLinks", False)
    pod.setdefault("topologySpreadConstraints", ours.spread(workload.selector))
    pod.setdefault("terminationGracePeriodSeconds", workload.drain + workload.finish)
    for field, value in ours.placement(production=workload.environment.production).items():
        pod.setdefault(field, value)
    main = _main_container(pod, workload, refuse)
    main["image"] = workload.image
    _fill_main(main, workload)
    for container in _containers(pod):
        _harden_container(container, refuse)


def _containers(pod: Manifest) -> Iterator[Manifest]:
    yield from pod.get("initContainers") or []
    yield from pod["containers"]


def _main_container(pod: Manifest, workload: Workload, refuse: Refuse) -> Manifest:
    wanted = _repository(workload.image)
    found: list[Manifest] = [c for c in pod["containers"] if _repository(str(c.get("image", ""))) == wanted]
    if len(found) != 1:
        have = ", ".join(str(c.get("image")) for c in pod["containers"])
        refuse(
            f"has {len(found)} containers from {wanted} (its images: {have}); exactly one must be the service"
        )
    return found[0]


def _repository(image: str) -> str:
    """An image reference without tag and digest. A colon before a slash belongs to a port."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _harden_container(container: Manifest, refuse: Refuse) -> None:
    name, image = container.get("name"), str(container.get("image", ""))
    if "@sha256:" not in image:
        refuse(f"container {name} uses {image or 'no image'}, which can change; pin it by digest")
    context = container.setdefault("securityContext", {})
    if context.get("privileged") or context.get("allowPrivilegeEscalation"):
        refuse(f"container {name} is privileged; remove privileged and allowPrivilegeEscalation")
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        refuse(f"container {name} runs as root; remove runAsUser 0 and runAsNonRoot false")
    if added := (context.get("capabilities") or {}).get("add"):
        refuse(f"container {name} adds capabilities {', '.join(added)}; remove them")
    _fill(context, ours.container_security())
    limits = (container.get("resources") or {}).get("limits") or {}
    if missing := [resource for resource in ("cpu", "memory") if resource not in limits]:
        refuse(f"container {name} has no limit for {' and '.join(missing)}; set resources.limits")


def _fill_main(main: Manifest, workload: Workload) -> None:
    service, need = workload.service, workload.service.resources
    resources = main.setdefault("resources", {})
    _fill(resources.setdefault("requests", {}), {"cpu": need.cpu, "memory": need.memory})
    _fill(
        resources.setdefault("limits", {}),
        {"cpu": need.cpu_limit, "memory": need.memory_limit},
    )
    ports = main.setdefault("ports", [])
    if all(port.get("containerPort") != service.port for port in ports):
        ports.append({"name": "http", "containerPort": service.port, "protocol": "TCP"})
    _fill(main.setdefault("lifecycle", {}), ours.pre_stop(workload.drain))
    if "readinessProbe" not in main:
        _fill(
            main,
            ours.probes(service.health_path, workload.ready_within, port=service.port),
        )


def _fill(target: Manifest, defaults: Manifest) -> None:
    for key, value in defaults.items():
        target.setdefault(key, value)
