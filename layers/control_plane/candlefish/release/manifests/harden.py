"""What a chart's Pod gets where it says nothing. What it may say stands in `allowed`."""

from __future__ import annotations

import re
from collections.abc import Callable

from candlefish.errors import InvalidInput
from candlefish.release.manifests import pod as ours
from candlefish.release.manifests.images import place_images, place_job_images
from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest

_SLEEPS = re.compile(r"(?:/bin/)?(?:sleep|(?:ba)?sh -c (?:/bin/)?sleep) (?P<seconds>[0-9]{1,4})")
# Makes the error that refuses the bundle.
Refused = Callable[[str], InvalidInput]


def harden(pod: Manifest, workload: Workload, refused: Refused) -> None:
    """Fill in an admitted Pod specification in place: what the chart sets stands."""
    _fill(pod, {"topologySpreadConstraints": ours.spread(workload.selector)})
    _harden_pod(pod, workload)
    main = place_images(pod, workload, refused)
    _fill_main(main, workload)
    _fill_mounts(pod, main, workload)
    slept = max(workload.drain, *(slept_by(container) for container in pod["containers"]))
    pod["terminationGracePeriodSeconds"] = max(
        slept + workload.finish, pod.get("terminationGracePeriodSeconds", 0)
    )
    _harden_containers(pod, refused)


def harden_job(pod: Manifest, workload: Workload, refused: Refused) -> None:
    """The same for a Pod that runs once: it serves nobody, and a container of the service's image may be missing."""
    _harden_pod(pod, workload)
    if main := place_job_images(pod, workload, refused):
        _fill_resources(main, workload)
        _fill_variables(main, workload)
        _fill_mounts(pod, main, workload)
    _harden_containers(pod, refused)


def _harden_pod(pod: Manifest, workload: Workload) -> None:
    _fill(_section(pod, "securityContext"), _security(pod, workload))
    _fill(pod, {"automountServiceAccountToken": False, "enableServiceLinks": False})
    if mine := ours.pull_secrets(workload):
        theirs = pod.get("imagePullSecrets") or []
        pod["imagePullSecrets"] = [
            *theirs,
            *(each for each in mine["imagePullSecrets"] if each not in theirs),
        ]
    _place(pod, production=workload.environment.production)
    for volume in pod.get("volumes", []):
        if "emptyDir" in volume:
            _fill(volume["emptyDir"], {"sizeLimit": ours.WRITABLE_LIMIT})


def _harden_containers(pod: Manifest, refused: Refused) -> None:
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


def _security(pod: Manifest, workload: Workload) -> Manifest:
    """What a Pod's security context gets where the chart is silent.

    A chart that names a user and no group gets the group of the same number: another one's files it could not read.
    """
    made = ours.pod_security(workload)
    said = pod["securityContext"]
    users = [context.get("runAsUser") for context in (said, *_contexts(pod))]
    if user := next((each for each in users if each is not None), None):
        made |= {"runAsGroup": user, "fsGroup": user}
    return made


def _contexts(pod: Manifest) -> list[Manifest]:
    return [container.get("securityContext") or {} for container in pod["containers"]]


def slept_by(container: Manifest) -> int:
    """Seconds that a container's preStop sleeps, by Kubernetes' own hook or by the program `sleep`; 0 else."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        seconds: int = hook["sleep"]["seconds"]
        return seconds
    command = " ".join((hook.get("exec") or {}).get("command") or [])
    match = _SLEEPS.fullmatch(command)
    return int(match["seconds"]) if match else 0


def _place(pod: Manifest, *, production: bool) -> None:
    """Production keeps off spot nodes, whatever the chart says of nodes; elsewhere they are preferred beside it."""
    if not production:
        spot = ours.placement(production=False)
        [(preferred, mine)] = spot["affinity"]["nodeAffinity"].items()
        nodes = _section(_section(pod, "affinity"), "nodeAffinity")
        for section, added in ((nodes, {preferred: mine}), (pod, {"tolerations": spot["tolerations"]})):
            for key, entries in added.items():
                theirs = section.get(key) or []
                section[key] = [*theirs, *(each for each in entries if each not in theirs)]
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
    service = workload.service
    _fill_resources(main, workload)
    for wanted in ours.container_ports(service).get("ports", ()):
        ports = main.get("ports", [])
        if all(port["containerPort"] != wanted["containerPort"] for port in ports):
            # Without its name, which one of the chart's may have.
            main["ports"] = [*ports, {key: wanted[key] for key in ("containerPort", "protocol")}]
    for field, hooks in ours.pre_stop(service, workload.drain).items():
        section = _section(main, field)
        # A hook that only sleeps, and less than the load balancer needs to hear of it, sleeps as long as that.
        if not section.get("preStop") or 0 < slept_by(main) < workload.drain:
            section.update(hooks)
    _fill_variables(main, workload)
    if not main.get("readinessProbe"):
        _fill(main, ours.probes(service, workload.ready_within, port=service.port))


def _fill_resources(main: Manifest, workload: Workload) -> None:
    need, resources = workload.service.resources, _section(main, "resources")
    _fill(_section(resources, "requests"), {"cpu": need.cpu, "memory": need.memory})
    _fill(_section(resources, "limits"), {"cpu": need.cpu_limit, "memory": need.memory_limit})


def _fill_variables(main: Manifest, workload: Workload) -> None:
    variables = ours.environment_variables(workload)
    said = {each["name"] for each in variables}
    # The catalog's first: what a chart composes of them by $(NAME) finds them.
    main["env"] = [*variables, *(each for each in main.get("env") or [] if each["name"] not in said)]


def _fill_mounts(pod: Manifest, main: Manifest, workload: Workload) -> None:
    """What the catalog mounts (writable directories, secrets), where the chart mounts nothing."""
    mounts, volumes = main.get("volumeMounts") or [], pod.get("volumes") or []
    taken = {each["mountPath"].rstrip("/") for each in mounts}
    names = {each["name"] for each in volumes}
    for volume, mount in zip(*ours.mounted(workload), strict=True):
        if mount["mountPath"].rstrip("/") not in taken:
            name = f"candlefish-{volume['name']}" if volume["name"] in names else volume["name"]
            mounts, volumes = [*mounts, {**mount, "name": name}], [*volumes, {**volume, "name": name}]
    main["volumeMounts"], pod["volumes"] = mounts, volumes


def _section(parent: Manifest, key: str) -> Manifest:
    """A map inside a map, made when it is missing."""
    section: Manifest = parent.setdefault(key, {})
    return section


def _fill(target: Manifest, defaults: Manifest) -> None:
    for key, value in defaults.items():
        target.setdefault(key, value)
