"""What was found in an account and a cluster, as values that can be saved and read again. No secret's value is among it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

# Of the Kubernetes API, as it was answered, without what nobody here reads.
Object = dict[str, Any]

# A variable that is called so and has a value in a manifest holds a secret, whoever wrote it there.
_SECRETIVE = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|secret|token|api_?key|private_?key|credentials?|dsn)(?:_|$)"
)
# A login in an address.
_LOGIN = re.compile(r"//[^/\s:@]+:[^/\s@]+@")
WITHHELD = "(not read: it looks like a secret)"


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A listener's rule. `groups` are the target groups that it forwards to, with their weights."""

    arn: str
    priority: str
    hosts: tuple[str, ...] = ()
    groups: dict[str, int] = {}


class Listener(msgspec.Struct, frozen=True, omit_defaults=True):
    """A listener of a load balancer."""

    arn: str
    protocol: str
    port: int
    certificates: tuple[str, ...] = ()
    ssl_policy: str = ""
    rules: tuple[Rule, ...] = ()


class Balancer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An application load balancer."""

    arn: str
    name: str
    scheme: str
    vpc: str
    dns: str
    zone: str
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    listeners: tuple[Listener, ...] = ()

    @property
    def internal(self) -> bool:
        return self.scheme == "internal"


class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target group."""

    arn: str
    name: str
    target_type: str
    protocol_version: str = ""
    health_path: str = ""


class Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    """A database (`kind` rds or aurora) or a cache (`kind` cache)."""

    kind: str
    identifier: str
    engine: str = ""
    multi_az: bool = False
    secret: str = ""
    tags: dict[str, str] = {}


class Cluster(msgspec.Struct, frozen=True, omit_defaults=True):
    """An EKS cluster."""

    name: str
    version: str = ""
    mode: str = ""
    vpc: str = ""
    public: bool = True
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: dict[str, str] = {}


class Prometheus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Prometheus: where it was asked, and the names of its metrics and alerts."""

    where: str
    metrics: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    in_cluster: bool = True


class Facts(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All that was found. `unread` says what could not be read, and why: nothing is concluded from that."""

    account: str = ""
    region: str = ""
    caller: str = ""
    namespace: str = ""
    cluster: Cluster | None = None
    # By kind and then in the order of the API.
    objects: tuple[Object, ...] = ()
    balancers: tuple[Balancer, ...] = ()
    groups: tuple[Group, ...] = ()
    stored: tuple[Stored, ...] = ()
    networks: tuple[str, ...] = ()
    # Name and limit in US dollars a month.
    budgets: dict[str, float] = {}
    # ARN of the account's OIDC provider for GitHub.
    provider: str = ""
    prometheus: Prometheus | None = None
    # Owner and name on GitHub, of where the command was called.
    repository: str = ""
    unread: tuple[str, ...] = ()

    def of(self, *kinds: str) -> list[Object]:
        """The objects of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]


def trimmed(found: Object) -> Object:
    """An object without what nobody reads, and without what may be secret."""
    metadata = found.get("metadata", {})
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith("kubectl.kubernetes.io/")
    }
    kept = {
        "name": metadata.get("name", ""),
        "namespace": metadata.get("namespace", ""),
        "labels": metadata.get("labels") or {},
        "annotations": annotations,
    }
    return {
        "kind": found.get("kind", ""),
        "metadata": {key: value for key, value in kept.items() if value},
        **({"spec": _without_secrets(found["spec"])} if found.get("spec") else {}),
        **({"status": {"containerStatuses": ran}} if (ran := _ran(found)) else {}),
    }


def _ran(found: Object) -> list[Object]:
    """Of a Pod the digests that run."""
    statuses = (found.get("status") or {}).get("containerStatuses") if found.get("kind") == "Pod" else ()
    return [{"name": each.get("name", ""), "imageID": each.get("imageID", "")} for each in statuses or ()]


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        hidden = isinstance(value.get("value"), str) and is_secretive(value.get("name", ""), value["value"])
        # A container's own command line may hold anything, and nobody here reads it.
        line = ("command", "args") if "image" in value else ()
        return {
            key: WITHHELD if hidden and key == "value" else _without_secrets(each)
            for key, each in value.items()
            if key not in line
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return value


def is_secretive(name: Any, value: str) -> bool:
    """Whether a variable's value looks like something that must not be written down."""
    return bool(isinstance(name, str) and _SECRETIVE.search(name)) or bool(_LOGIN.search(value))
