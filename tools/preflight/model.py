"""What preflight holds against what: a section of samconfig.toml, and what the account has."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.catalog.model import Environment
from tools.policies import parameters


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it has to be: what it is about, what is wrong, and the command that mends it.

    What does not `block` is told, and the deployment goes on.
    """

    about: str
    what: str
    mend: str = ""
    blocks: bool = True

    def lines(self, section: str) -> list[str]:
        """As it is printed: a command stands in a line of its own."""
        told = f"{section}: {self.about}: {self.what}"
        return [
            told if self.blocks else f"{told} (the deployment goes on)",
            *([f"    {self.mend}"] * bool(self.mend)),
        ]


class Section(msgspec.Struct, frozen=True):
    """A section of samconfig.toml: the stack of an environment in one of its regions."""

    name: str
    deploy: dict[str, Any]
    environment: Environment

    @property
    def values(self) -> dict[str, str]:
        """The stack's parameters."""
        return parameters(self.deploy)

    @property
    def recovery(self) -> bool:
        """Whether it is the stack in the recovery region."""
        return self.name != self.environment.name

    @property
    def region(self) -> str:
        """Where the catalog has the stack."""
        return self.environment.recovery_region if self.recovery else self.environment.region

    @property
    def table(self) -> str:
        """The stack's table."""
        return f"candlefish-{self.environment.name}"

    def get(self, name: str) -> str:
        """One parameter; empty when it is left out."""
        return self.values.get(name, "")

    def several(self, name: str) -> list[str]:
        """The entries of a parameter that is a list."""
        return [each for each in self.get(name).split(",") if each]


def fails_over(section: Section) -> bool:
    """Whether anything of the environment can go to other hardware or another region."""
    environment = section.environment
    return bool(environment.databases or environment.caches or section.recovery)


class Cluster(msgspec.Struct, frozen=True):
    """An EKS cluster: its version, whom it lets in, and from where its endpoint answers."""

    mode: str = "API"
    version: str = "1.33"
    vpc: str = ""
    public: bool = True
    private: bool = False
    # From which addresses the public endpoint answers.
    cidrs: tuple[str, ...] = ("0.0.0.0/0",)

    @property
    def open(self) -> bool:
        """Whether anybody reaches the endpoint."""
        return self.public and "0.0.0.0/0" in self.cidrs


class Kubernetes(msgspec.Struct, frozen=True):
    """What the cluster itself says; `unknown` is why it could not be asked."""

    unknown: str = ""
    # The controller's kind, the controller itself, and the API that autoscalers read.
    bindings: bool = True
    controller: bool = True
    metrics: bool = True


class Listener(msgspec.Struct, frozen=True):
    """A listener: its load balancer's VPC and scheme, and how many rules of that balancer are taken."""

    vpc: str
    scheme: str = "internet-facing"
    rules: int = 0


class Subnet(msgspec.Struct, frozen=True):
    """A subnet: its VPC, and what the default route leads to (`nat`, `igw`, `other`, or nothing)."""

    vpc: str
    way_out: str = ""


class Issuer(msgspec.Struct, frozen=True):
    """What the console's issuer says of itself; `unknown` is why it says nothing that can be used."""

    unknown: str = ""
    # The algorithms that it signs id tokens with; empty where it does not say.
    algorithms: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """Concurrent executions: of the account in the region, those without a reservation, those that this stack reserves."""

    total: int = 1000
    unreserved: int = 1000
    ours: int = 0


class Subscription(msgspec.Struct, frozen=True):
    """Who is told of notices."""

    protocol: str
    endpoint: str
    confirmed: bool


class Found(msgspec.Struct, frozen=True):
    """What the account holds. None: it has no such thing."""

    account: str
    cluster: Cluster | None
    listeners: dict[str, Listener | None]
    boundary: bool
    # The stack's status; empty when there is no stack.
    stack: str = ""
    # What a stack of before kept, by name, when no stack has it.
    kept: tuple[str, ...] = ()
    limits: Limits = Limits()
    # None: the topic is not there yet.
    subscriptions: tuple[Subscription, ...] | None = None
    kubernetes: Kubernetes = Kubernetes()
    subnets: dict[str, Subnet | None] = {}
    # Security group -> its VPC.
    groups: dict[str, str | None] = {}
    # Services with an endpoint in the VPC.
    endpoints: frozenset[str] = frozenset()
    # The account's OIDC provider for GitHub.
    provider: str = ""
    # None: the catalog has no console.
    issuer: Issuer | None = None
