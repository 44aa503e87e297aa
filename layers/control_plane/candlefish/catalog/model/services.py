"""Services: what runs, and what one environment changes about it."""

from __future__ import annotations

from typing import Annotated, Literal

from candlefish.catalog.model.cron import Cron
from candlefish.catalog.model.jobs import Job
from candlefish.catalog.model.pods import (
    Autoscale,
    Egress,
    Ingress,
    NoteKey,
    Prometheus,
    RoleName,
    RunAs,
    Stateful,
)
from candlefish.catalog.model.scalars import (
    EnvName,
    FilePath,
    Host,
    HttpsUrl,
    Image,
    Label,
    MaybeLabel,
    Model,
    Name,
    Port,
    Repository,
    SecretName,
    SourcePath,
    UrlPath,
    text,
)
from candlefish.catalog.model.sizes import Replicas, Resources

# Variables that say to a container where and what it is.
OUR_VARIABLES = ("CANDLEFISH_ENVIRONMENT", "CANDLEFISH_SLOT", "CANDLEFISH_VERSION")


class Secret(Model, frozen=True):
    """A secret in Secrets Manager that a service needs; how it comes to the Pods, the environment's `secrets_by` says."""

    # In Secrets Manager, in the environment's account and region.
    name: SecretName
    # The variable: of the secret's value, or of its name where `secrets_by` is `role`.
    env: EnvName
    # One key of a secret that is a JSON object; the whole secret when empty. Not where `secrets_by` is `role`.
    key: Annotated[str, text(r"[A-Za-z0-9_.-]{0,255}", "write a key of the JSON object, like password")] = ""


# How a service is reached: through a load balancer, through a Service inside the cluster, or not at all. What is
# stateful is reached inside the cluster, and its Pods have names and volumes of their own: a StatefulSet, in place.
ServiceKind = Literal["web", "cluster", "worker", "stateful"]
# What it speaks on its port.
Protocol = Literal["http1", "http2", "grpc"]
# What a gRPC service answers when it is asked how it is (grpc.health.v1).
GRPC_HEALTH = "/grpc.health.v1.Health/Check"


class Service(Model, frozen=True):
    """One service: what runs, how it is reached, how large it is, who owns it."""

    name: Name
    # The repository of its images; a release adds the digest.
    image: Image
    # The autoscaler's range; environments may cap it.
    replicas: Replicas
    resources: Resources
    # The team that is told.
    owner: str
    # How it is reached: `web` through a load balancer, `cluster` only inside the cluster, `worker` not at all. A
    # `stateful` one is reached inside the cluster and is a StatefulSet, which is always updated in place.
    kind: ServiceKind = "web"
    # Volumes and what else only a stateful service has.
    stateful: Stateful = Stateful()
    # What it speaks on its port; of a service that runs it cannot be changed.
    protocol: Protocol = "http1"
    # The port that the container listens on. Below 1024 is fine: see `low_port`. A worker needs none.
    port: Port = 0
    # What the load balancer and Kubernetes ask for health. gRPC has a path of its own; a worker needs none.
    health_path: UrlPath = ""
    # A command in the container that says by exit code 0 that it is well; Kubernetes runs it in place of the path.
    health_command: tuple[str, ...] = ()
    # The host name that leads to it, as production has it. Only of a service behind a load balancer.
    host: Host = ""
    # The GitHub repository whose workflows may release it, like example-org/shop; none when empty.
    repository: Repository = ""
    # Files and folders of that repository that it is built from (`candlefish ci detect`); services/<name> when empty.
    paths: tuple[SourcePath, ...] = ()
    # Where people read what to do.
    runbook: HttpsUrl = ""
    # Environment variables; every value is text.
    env: dict[EnvName, str] = {}
    # Repositories of other containers that a bundle of it may bring, by digest; none when empty.
    sidecars: tuple[Image, ...] = ()
    # Kubernetes Secrets with which its Pods pull their images, beside the environment's.
    image_pull_secrets: tuple[Label, ...] = ()
    # What it needs of Secrets Manager.
    secrets: tuple[Secret, ...] = ()
    # What a release runs once and waits for, from its own image: migrations, and what must follow the last step.
    jobs: tuple[Job, ...] = ()
    # What runs by the clock beside it, from the image of its stable version: a CronJob each.
    cron: tuple[Cron, ...] = ()
    # Its IAM role: the name, or the ARN. When empty, candlefish-<environment>-<service> where it has secrets to read
    # itself (`candlefish catalog roles` makes it), and none else.
    role: RoleName = ""
    # A ServiceAccount that exists already; one of the service's own name is made when empty.
    service_account: MaybeLabel = ""
    # The user and groups of its processes.
    run_as: RunAs = RunAs()
    # What the autoscaler aims for, instead of `replicas.target_cpu_percent` alone.
    autoscale: Autoscale = Autoscale()
    # Where its Pods say their metrics; no annotations when there is none.
    prometheus: Prometheus | None = None
    # Annotations of its Pods.
    annotations: dict[NoteKey, str] = {}
    # What its Pods may reach besides.
    egress: tuple[Egress, ...] = ()
    # Who may reach its Pods besides.
    ingress: tuple[Ingress, ...] = ()
    # Services that it calls; a train releases these first.
    depends_on: tuple[Name, ...] = ()
    # Paths that must answer 2xx or 3xx at weight 0; the health path when empty.
    smoke_paths: tuple[UrlPath, ...] = ()
    # Directories that must stay writable under a read-only root file system (emptyDir).
    writable_paths: tuple[FilePath, ...] = ("/tmp",)
    # The judge policy for steps that name none.
    judge: str = "default"
    # Business counters that the judge may look at as well, by name.
    metrics: tuple[str, ...] = ()
    # Whether many of its requests become WebSockets. The load balancer counts no answer to those, so errors are then
    # what it counts as failed; a request that nobody answers is not seen per slot.
    websockets: bool = False

    @property
    def low_port(self) -> bool:
        """Whether the port is below 1024, which a non-root container may bind only with the
        (safe) sysctl `net.ipv4.ip_unprivileged_port_start`.
        """
        return 0 < self.port < 1024

    @property
    def balanced(self) -> bool:
        """Whether it is behind a load balancer, which moves its traffic by weights; otherwise the share of Pods does."""
        return self.kind == "web"

    @property
    def account(self) -> str:
        """The ServiceAccount of its Pods."""
        return self.service_account or self.name

    @property
    def asked_at(self) -> str:
        """The path that is asked for health; empty where there is none."""
        return self.health_path or (GRPC_HEALTH if self.protocol == "grpc" else "")


class ServiceOverride(Model, frozen=True):
    """What one environment changes about one service."""

    # Instead of the host with the environment's prefix.
    host: Host | None = None
    # The name of the load balancer that it is behind; the first one with room where none is named.
    load_balancer: Annotated[
        str,
        text(
            "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?)?",
            "write a load balancer's name, like internal",
        ),
    ] = ""
    # Instead of the service's range; the environment's cap does not apply.
    replicas: Replicas | None = None
    # Instead of the service's.
    resources: Resources | None = None
    # Added to the service's and the environment's; this one wins.
    env: dict[EnvName, str] = {}
    # Instead of the service's judge policy.
    judge: str = ""
    # Instead of the service's role.
    role: RoleName = ""
