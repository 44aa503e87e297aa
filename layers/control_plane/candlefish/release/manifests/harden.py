"""What a chart's Pod gets where it says nothing. What it may say stands in `allowed`."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.errors import InvalidInput
from candlefish.release.manifests import pod as ours
from candlefish.release.manifests.images import place_images
from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest

# Makes the error that refuses the bundle.
Refused = Callable[[str], InvalidInput]


def harden(pod: Manifest, workload: Workload, refused: Refused) -> None:
    """Fill in an admitted Pod specification in place: what the chart sets stands."""
    low_port = workload.service.low_port
    _fill(_section(pod, "securityContext"), ours.pod_security(workload.service.port, low_port=low_port))
    _fill(
        pod,
        {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "topologySpreadConstraints": ours.spread(workload.selector),
        },
    )
    if mine := ours.pull_secrets(workload):
        theirs = pod.get("imagePullSecrets") or []
        pod["imagePullSecrets"] = [
            *theirs,
            *(each for each in mine["imagePullSecrets"] if each not in theirs),
        ]
    grace = workload.drain + workload.finish
    pod["terminationGracePeriodSeconds"] = max(grace, pod.get("terminationGracePeriodSeconds", 0))
    _place(pod, production=workload.environment.production)
    for volume in pod.get("volumes", []):
        if "emptyDir" in volume:
            _fill(volume["emptyDir"], {"sizeLimit": ours.WRITABLE_LIMIT})
    main = place_images(pod, workload, refused)
    _fill_main(main, workload)
    for field in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(field, [])):
            _fill(container, {"terminationMessagePolicy": ours.CRASH_MESSAGE})
            _fill(_section(container, "securityContext"), ours.container_security())
            _fill(_section(container["securityContext"], "capabilities"), {"drop": ["ALL"]})
            limits = container.get("resources", {}).get("limits", {})
            if missing := [resource for resource in ("cpu", "memory") if resource not in limits]:
                raise refused(
                    f"spec.template.spec.{field}[{index}].resources: container {container['name']} has no limit "
                    f"for {' and '.join(missing)}; set resources.limits"
                )


def _place(pod: Manifest, *, production: bool) -> None:
    """Production keeps off spot nodes, whatever the chart says of nodes; elsewhere the chart's word stands."""
    if not production:
        _fill(pod, ours.placement(production=False))
        return
    [(_, kept)] = ours.placement(production=True)["affinity"]["nodeAffinity"].items()
    nodes = _section(_section(pod, "affinity"), "nodeAffinity")
    required = _section(nodes, "requiredDuringSchedulingIgnoredDuringExecution")
    # One of the terms has to hold, so each of them gets ours.
    off_spot = kept["nodeSelectorTerms"][0]["matchExpressions"]
    terms = required.get("nodeSelectorTerms") or [{"matchExpressions": []}]
    required["nodeSelectorTerms"] = [
        {"matchExpressions": [*(e for e in term["matchExpressions"] if e not in off_spot), *off_spot]}
        for term in terms
    ]


def _fill_main(main: Manifest, workload: Workload) -> None:
    service, need = workload.service, workload.service.resources
    resources = _section(main, "resources")
    _fill(_section(resources, "requests"), {"cpu": need.cpu, "memory": need.memory})
    _fill(_section(resources, "limits"), {"cpu": need.cpu_limit, "memory": need.memory_limit})
    ports = main.get("ports", [])
    if service.port and all(port["containerPort"] != service.port for port in ports):
        main["ports"] = [*ports, {"containerPort": service.port, "protocol": "TCP"}]
    for field, hooks in ours.pre_stop(service, workload.drain).items():
        _fill(_section(main, field), hooks)
    if not main.get("readinessProbe"):
        _fill(main, ours.probes(service, workload.ready_within, port=service.port))


def _section(parent: Manifest, key: str) -> Manifest:
    """A map inside a map, made when it is missing."""
    section: Manifest = parent.setdefault(key, {})
    return section


def _fill(target: Manifest, defaults: Manifest) -> None:
    for key, value in defaults.items():
        target.setdefault(key, value)
