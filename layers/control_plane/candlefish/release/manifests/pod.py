"""The Pod template: hardened, probed, spread over zones, and losing no request when it goes."""

from __future__ import annotations

import math
from typing import Any

from candlefish.catalog.model import OUR_VARIABLES, Service
from candlefish.release.manifests.model import Workload
from candlefish.release.manifests.secrets import secret_variables, secret_volumes
from candlefish.release.model import Manifest

PROBE_SECONDS = 2
CRASH_MESSAGE = "FallbackToLogsOnError"
CAPACITY = "eks.amazonaws.com/capacityType"
WRITABLE_LIMIT = "1Gi"


def pod_template(workload: Workload) -> Manifest:
    """The Pod template of a slot."""
    volumes, mounts = mounted(workload)
    spec = {
        # Shared by the slots. IRSA's token is projected by EKS's webhook whatever this says; the
        # token for the Kubernetes API, which no service needs, stays out.
        "serviceAccountName": workload.account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(workload),
        "terminationGracePeriodSeconds": workload.drain + workload.finish,
        "topologySpreadConstraints": spread(workload.selector),
        **placement(production=workload.environment.production),
        **pull_secrets(workload),
        "containers": [{**_container(workload), "volumeMounts": mounts}],
        "volumes": volumes,
    }
    return {"metadata": {"labels": workload.labels, "annotations": pod_notes(workload)}, "spec": spec}


def pod_notes(workload: Workload) -> dict[str, str]:
    """The annotations of a slot's Pods: the catalog's, where Prometheus finds their metrics, and what runs."""
    service, scraped = workload.service, {}
    if service.prometheus:
        scraped = {
            "prometheus.io/scrape": "true",
            "prometheus.io/path": service.prometheus.path,
            "prometheus.io/port": str(service.prometheus.port or service.port),
        }
    return {**scraped, **service.annotations, **workload.notes}


def _container(workload: Workload) -> Manifest:
    service = workload.service
    need = service.resources
    return {
        "name": service.name,
        "image": workload.image,
        "imagePullPolicy": "IfNotPresent",
        # Why it crashed is in the Pod's status then.
        "terminationMessagePolicy": CRASH_MESSAGE,
        **container_ports(service),
        "env": environment_variables(workload),
        "resources": {
            "requests": {"cpu": need.cpu, "memory": need.memory},
            "limits": {"cpu": need.cpu_limit, "memory": need.memory_limit},
        },
        "securityContext": container_security(),
        **pre_stop(service, workload.drain),
        **probes(service, workload.ready_within, port_name(service)),
    }


def port_name(service: Service) -> str:
    """What the port is called, after what is spoken on it: meshes read it so."""
    return "http" if service.protocol == "http1" else service.protocol


def container_ports(service: Service) -> Manifest:
    """The ports that the container listens on, its metrics' too; nothing where it has none."""
    ports = {port_name(service): service.port} if service.port else {}
    if service.prometheus and service.prometheus.port not in (0, service.port):
        ports["metrics"] = service.prometheus.port
    if not ports:
        return {}
    return {
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]
    }


def pull_secrets(workload: Workload) -> Manifest:
    """How images are pulled where the nodes' role is not enough; nothing where it is."""
    names = workload.service.image_pull_secrets
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def environment_variables(workload: Workload) -> list[Manifest]:
    """The container's environment: the control plane's, the catalog's, and the service's secrets.

    Kubernetes reads `$(NAME)` and `$$` in a value; the catalog's values are text, letter for letter.
    """
    here = (workload.environment.name, workload.slot, workload.version)
    texts = {**dict(zip(OUR_VARIABLES, here, strict=True)), **workload.service.env}
    values: dict[str, Manifest] = {name: {"value": text.replace("$", "$$")} for name, text in texts.items()}
    return [{"name": name, **rest} for name, rest in sorted({**values, **secret_variables(workload)}.items())]


def pod_security(workload: Workload) -> Manifest:
    """Not root, no more system calls than the runtime's profile allows."""
    service, who = workload.service, workload.service.run_as
    context: Manifest = {
        "runAsNonRoot": True,
        "runAsUser": who.user,
        "runAsGroup": who.group,
        "fsGroup": who.fs_group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if service.low_port:
        # Lets a process without capabilities listen on its port; on Kubernetes' list of safe sysctls.
        context["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": str(service.port)}]
    return context


def container_security() -> Manifest:
    """Nothing to escalate with and nothing to write to."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pre_stop(service: Service, drain: int) -> Manifest:
    """Keep serving while others still send requests. Needs no shell in the image. A worker may stop at once."""
    if service.kind == "worker":
        return {}
    return {"lifecycle": {"preStop": {"sleep": {"seconds": drain}}}}


def probes(service: Service, ready_within: float, port: int | str) -> Manifest:
    """Startup, readiness and liveness; nothing for a worker that cannot be asked.

    A start may take half of the rollout's time, so that a container that hangs gets a second try
    inside it. Liveness is slow on purpose: restarting Pods under load makes an overload worse.
    """
    if not (ask := _question(service, port)):
        return {}
    get = {**ask, "timeoutSeconds": 2}
    return {
        "startupProbe": {
            **get,
            "periodSeconds": PROBE_SECONDS,
            "failureThreshold": max(5, math.ceil(ready_within / 2 / PROBE_SECONDS)),
        },
        "readinessProbe": {**get, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**get, "periodSeconds": 10, "failureThreshold": 6, "timeoutSeconds": 5},
    }


def _question(service: Service, port: int | str) -> Manifest:
    """How the kubelet asks whether a container is well; it takes numbers alone for ports of gRPC."""
    if service.health_command:
        return {"exec": {"command": list(service.health_command)}}
    if service.protocol == "grpc":
        return {"grpc": {"port": service.port}}
    return {"httpGet": {"path": service.health_path, "port": port}} if service.health_path else {}


def spread(selector: dict[str, str]) -> list[Manifest]:
    """Even over zones, then over nodes. Never a reason not to start: a zone may be gone."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def placement(*, production: bool) -> dict[str, Any]:
    """Production keeps off spot nodes; elsewhere they are tolerated and preferred."""
    spot = {"key": CAPACITY, "values": ["SPOT"]}
    if production:
        terms = [{"matchExpressions": [{**spot, "operator": "NotIn"}]}]
        required = {"nodeSelectorTerms": terms}
        return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}
    prefer = [{"weight": 100, "preference": {"matchExpressions": [{**spot, "operator": "In"}]}}]
    return {
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": prefer}},
        "tolerations": [{"key": CAPACITY, "operator": "Equal", "value": "SPOT", "effect": "NoSchedule"}],
    }


def mounted(workload: Workload) -> tuple[list[Manifest], list[Manifest]]:
    """Volumes and mounts: an empty directory for each path that stays writable, and what secrets need."""
    paths = workload.service.writable_paths
    volumes = [
        {"name": f"writable-{index}", "emptyDir": {"sizeLimit": WRITABLE_LIMIT}}
        for index in range(len(paths))
    ]
    mounts = [{"name": f"writable-{index}", "mountPath": path} for index, path in enumerate(paths)]
    more, there = secret_volumes(workload)
    return [*volumes, *more], [*mounts, *there]
