"""What services say of their Pods: who they run as, what scales them, what they reach, where their secrets come from."""

from __future__ import annotations

from typing import Annotated, Literal

from candlefish.catalog.model.scalars import (
    LABEL,
    FilePath,
    Label,
    MaybeLabel,
    Model,
    Port,
    UrlPath,
    number,
    text,
)

_PEER = rf"service/{LABEL}|namespace/{LABEL}|[0-9a-f.:]+/\d{{1,3}}"
_PEER_FIX = "write a network like 10.0.0.0/16, service/<name of the catalog> or namespace/<name>"
Peer = Annotated[str, text(_PEER, _PEER_FIX)]
UserId = Annotated[int, number("write a number from 1 to 2147483647 (0 is root)", 1, 2**31 - 1)]
MetricName = Annotated[
    str, text(r"[A-Za-z0-9_.:/|-]{1,253}", "write the metric's name, like http_requests_per_second")
]
Quantity = Annotated[str, text(r"[1-9]\d*(?:m|k|M|G|Ki|Mi|Gi)?", "write a quantity like 100, 500m or 10k")]
Usage = Annotated[int, number("write a percentage of the request from 1 to 1000; 0 for none", 0, 1000)]
# Kubernetes forbids nothing here, but our own are ours to write.
NoteKey = Annotated[
    str,
    text(
        r"(?!candlefish\.ai/)(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
        "write an annotation's key like sidecar.istio.io/inject; candlefish.ai/ is the control plane's",
    ),
]
RoleName = Annotated[
    str,
    text(
        r"(?:(?:arn:aws[a-z-]*:iam::\d{12}:role/)?[A-Za-z0-9+=,.@_/-]{1,512})?",
        "write an IAM role's name or its ARN",
    ),
]
# How secrets come to a Pod: `role` puts the secret's *name* into the variable, and the service reads it with its own
# role; the others put the *value* there, through a Kubernetes Secret that the External Secrets Operator or the Secrets
# Store CSI driver keeps.
SecretsBy = Literal["role", "external-secrets", "csi"]
# How a Pod comes to its IAM role: by the ServiceAccount's annotation (IRSA), or by an EKS Pod Identity association.
IdentityBy = Literal["irsa", "pod-identity"]


class RunAs(Model, frozen=True):
    """The numbers that a service's processes run as. The default owns no file in any image."""

    # The user; a number, because kubelet cannot check runAsNonRoot against a name.
    user: UserId = 10001
    # Its group.
    group: UserId = 10001
    # The group that mounted volumes belong to.
    fs_group: UserId = 10001


class Prometheus(Model, frozen=True):
    """Where Pods say their metrics, as annotations that most scrape jobs read (prometheus.io/scrape, path, port)."""

    path: UrlPath = "/metrics"
    # The service's port when 0. Another one is opened to Pods of the cluster.
    port: Port = 0


class PodsMetric(Model, frozen=True):
    """A metric of the Pods themselves (custom.metrics.k8s.io, as the Prometheus adapter or KEDA serves it)."""

    metric: MetricName
    # What each Pod should have of it on average.
    average: Quantity


class ExternalMetric(Model, frozen=True):
    """A metric of something else, like a queue's length (external.metrics.k8s.io)."""

    metric: MetricName
    # What each Pod should have of it on average.
    average: Quantity
    # Labels that choose the series.
    labels: dict[str, str] = {}


class Autoscale(Model, frozen=True):
    """What the autoscaler aims for; of several the one that asks for most Pods wins."""

    # Percent of the request; the range's `target_cpu_percent` when 0 and nothing else is named.
    cpu: Usage = 0
    memory: Usage = 0
    pods: tuple[PodsMetric, ...] = ()
    external: tuple[ExternalMetric, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.cpu or self.memory or self.pods or self.external)


class Egress(Model, frozen=True):
    """Where Pods may connect to, beside names, HTTPS, what they depend on and the environment's stores."""

    # A network like 10.2.0.0/16, service/<name> or namespace/<name>.
    to: Peer
    ports: tuple[Port, ...]
    protocol: Literal["tcp", "udp"] = "tcp"


class Ingress(Model, frozen=True):
    """Who may connect to Pods, beside the load balancer and the services that depend on this one."""

    # A network like 10.2.0.0/16, service/<name> or namespace/<name>.
    source: Peer
    # The service's own port when there are none.
    ports: tuple[Port, ...] = ()


class Volume(Model, frozen=True):
    """A volume that each Pod of a stateful service has of its own, and keeps. Of a StatefulSet that runs it stays."""

    # In the claims' names: <name>-<service>-<number>.
    name: Label
    # Where it is mounted.
    path: FilePath
    # How large the claims are made, in Kubernetes' words.
    size: Annotated[str, text(r"[1-9]\d*(?:Mi|Gi|Ti)", "write a size like 20Gi")]
    # The StorageClass; the cluster's default when empty.
    storage_class: Annotated[
        str, text(r"(?:[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)?", "write a StorageClass's name, like gp3")
    ] = ""
    # Who may mount it: one node, one Pod, or many nodes.
    access: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"


def is_ours(volume: str) -> bool:
    """Whether a Pod may have a volume of this name already: the driver's of secrets, and one for each writable path."""
    return volume == "secrets-store" or volume.startswith("writable-")


class Stateful(Model, frozen=True):
    """What a StatefulSet has that a Deployment has not; of one that runs nothing of it can be changed."""

    # The volumes of each Pod.
    volumes: tuple[Volume, ...] = ()
    # The Service that gives each Pod a name in DNS (`serviceName`); <service>-headless is made when empty. Another
    # name is of one that is there already.
    headless_service: MaybeLabel = ""
    # Whether Pods start one after another, each when the one before is ready, or all at once.
    start: Literal["in-order", "together"] = "in-order"


class SecretStore(Model, frozen=True):
    """The store of the External Secrets Operator that reads Secrets Manager."""

    name: Label
    kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    # How often a changed value is looked for, in the operator's words.
    refresh: Annotated[str, text(r"[1-9]\d*(?:s|m|h)", "write a duration like 1h")] = "1h"
