"""What a chart's Pod gets where it says nothing, and what it may not ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from candlefish.errors import InvalidInput
from candlefish.release.manifests import pod as ours
from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest

# Makes the error that refuses the bundle.
Refused = Callable[[str], InvalidInput]

# Fields that hand a Pod the node, or more rights than a service needs.
HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "nodeName")


def harden(pod: Manifest, workload: Workload, refused: Refused) -> None:
    """Fill in a Pod specification in place: what the chart sets stands, unless it asks for the host.

    The container whose image comes from the service's repository gets the release's image. All
    others must be pinned, so that one bundle is always the same release.
    """
    for field in HOST_FIELDS:
        if pod.get(field):
            raise refused(f"sets {field}; a service may not have the node, remove it from the chart")
    for volume in pod.get("volumes") or []:
        if "hostPath" in volume:
            raise refused(f"mounts the node's {volume['hostPath'].get('path')}; use emptyDir or a claim")
    low_port = workload.service.low_port
    context = _section(pod, "securityContext")
    _fill(context, ours.pod_security(workload.service.port, low_port=low_port))
    if context.get("runAsUser") == 0 or context["runAsNonRoot"] is not True:
        raise refused("runs as root; set runAsNonRoot: true and a runAsUser above 0")
    fixed = {"automountServiceAccountToken": False, "enableServiceLinks": False}
    _fill(pod, {**fixed, "topologySpreadConstraints": ours.spread(workload.selector)})
    grace = workload.drain + workload.finish
    pod["terminationGracePeriodSeconds"] = max(grace, pod.get("terminationGracePeriodSeconds") or 0)
    _fill(pod, ours.placement(production=workload.environment.production))
    main = _main_container(pod, workload, refused)
    main["image"] = workload.image
    _fill_main(main, workload)
    for container in _containers(pod):
        _harden_container(container, refused)


def _containers(pod: Manifest) -> Iterator[Manifest]:
    yield from pod.get("initContainers") or []
    yield from pod["containers"]


def _main_container(pod: Manifest, workload: Workload, refused: Refused) -> Manifest:
    wanted = _repository(workload.image)
    found: list[Manifest] = [c for c in pod["containers"] if _repository(str(c.get("image", ""))) == wanted]
    if len(found) != 1:
        have = ", ".join(str(c.get("image")) for c in pod["containers"])
        raise refused(
            f"has {len(found)} containers from {wanted} (its images: {have}); exactly one must be the service"
        )
    return found[0]


def _repository(image: str) -> str:
    """An image reference without tag and digest. A colon before a slash belongs to a port."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _harden_container(container: Manifest, refused: Refused) -> None:
    name, image = container.get("name"), str(container.get("image", ""))
    if "@sha256:" not in image:
        raise refused(f"container {name} uses {image or 'no image'}, which can change; pin it by digest")
    context = _section(container, "securityContext")
    if context.get("privileged") or context.get("allowPrivilegeEscalation"):
        raise refused(f"container {name} is privileged; remove privileged and allowPrivilegeEscalation")
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        raise refused(f"container {name} runs as root; remove runAsUser 0 and runAsNonRoot false")
    if added := (context.get("capabilities") or {}).get("add"):
        raise refused(f"container {name} adds capabilities {', '.join(added)}; remove them")
    _fill(context, ours.container_security())
    limits = (container.get("resources") or {}).get("limits") or {}
    if missing := [resource for resource in ("cpu", "memory") if resource not in limits]:
        raise refused(f"container {name} has no limit for {' and '.join(missing)}; set resources.limits")


def _fill_main(main: Manifest, workload: Workload) -> None:
    service, need = workload.service, workload.service.resources
    resources = _section(main, "resources")
    _fill(_section(resources, "requests"), {"cpu": need.cpu, "memory": need.memory})
    _fill(_section(resources, "limits"), {"cpu": need.cpu_limit, "memory": need.memory_limit})
    ports = main.get("ports") or []
    if all(port.get("containerPort") != service.port for port in ports):
        main["ports"] = [*ports, {"containerPort": service.port, "protocol": "TCP"}]
    _fill(_section(main, "lifecycle"), ours.pre_stop(workload.drain))
    if not main.get("readinessProbe"):
        _fill(main, ours.probes(service.health_path, workload.ready_within, port=service.port))


def _section(parent: Manifest, key: str) -> Manifest:
    """A map inside a map, made when it is missing or null (charts leave both)."""
    parent[key] = parent.get(key) or {}
    section: Manifest = parent[key]
    return section


def _fill(target: Manifest, defaults: Manifest) -> None:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = value
