"""What shifting traffic and onboarding need from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from candlefish.service.model import RecordMark, Sharing, Slot

# What the load balancer's things are tagged with, so that the world can tell what a lost record knew.
OWNER_TAG = "candlefish:service"
SLOT_TAG = "candlefish:slot"
GENERATION_TAG = "candlefish:generation"
REVISION_TAG = "candlefish:revision"


class TargetHealth(msgspec.Struct, frozen=True):
    """Targets of one target group by state, as the load balancer sees them."""

    healthy: int = 0
    initial: int = 0
    unhealthy: int = 0
    draining: int = 0
    unused: int = 0
    # The load balancer's own words for why a target is not healthy.
    reason: str = ""


# How many resources one call is told the tags of.
TAGS_AT_ONCE = 20


class RuleTags(msgspec.Struct, frozen=True):
    """What the tags of a rule say: whose it is, and which record it followed last; empty where they say nothing."""

    service: str = ""
    environment: str = ""
    mark: RecordMark = RecordMark()


class TaggedRule(msgspec.Struct, frozen=True):
    """A rule of ours, as its tags and conditions tell: whose it is, and which record it followed last.

    `mark` is zeros where the rule does not say; `smoke_token` is what the smoke rule asks for, empty for the rule
    of users. `weights` are by target group ARN.
    """

    rule: str
    service: str
    weights: dict[str, int]
    mark: RecordMark = RecordMark()
    smoke_token: str = ""


class Intention(msgspec.Struct, frozen=True):
    """Whose weights are written: how new the record is that wants them, and how many Pods its slots share."""

    mark: RecordMark = RecordMark()
    sharing: Sharing | None = None


# Of whoever writes without a record.
NOBODYS = Intention()


class Rules(Protocol):
    """What moves traffic between two slots: listener rules and target groups of a load balancer, or shares of Pods.

    A service in the cluster and a worker have names in place of ARNs (`traffic.shares`); their rule is a Service of
    Kubernetes, their targets are Pods that are ready.
    """

    def read(self, rule: str) -> dict[str, int]:
        """Weight by target group ARN."""

    def look_ahead(self, rule: str) -> None:
        """Begin to read a rule that is about to be written, beside what the caller does meanwhile; never fails."""

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        """Replace the whole weight vector; target group stickiness is switched off in the same call.

        What else the rule does (a login before the forward, conditions, transforms) stays as it is. Where Pods are
        moved, a record that is older than the one that wrote last changes nothing.

        Raises
        ------
        Misconfigured
            The rule does something that would be lost; nothing was written.
        """

    def health(self, target_group: str) -> TargetHealth:
        """Health of the targets of one target group."""

    def stamp(self, rule: str, mark: RecordMark) -> None:
        """Let a rule's tags say which record it follows. A newer one that stands there stays."""

    def listed(self, listener: str) -> list[dict[str, Any]]:
        """Every rule of a listener, as ELBv2 describes it, with one call for all that it may have."""

    def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
        """What the tags of rules say, by the rule's ARN; one call for `TAGS_AT_ONCE` of them."""


class TargetGroupSpec(msgspec.Struct, frozen=True):
    """A target group as it shall be. Times are seconds."""

    name: str
    port: int
    vpc: str
    health_path: str
    tags: dict[str, str]
    # What an earlier version called it: one of that name is taken over when its tags say that it is ours.
    former_name: str = ""
    interval: int = 10
    deregistration_delay: int = 30
    # What is spoken with its targets, as ELBv2 calls it: HTTP1, HTTP2 or GRPC. It never changes.
    version: str = "HTTP1"

    @property
    def matcher(self) -> dict[str, str]:
        """Which answers to a health check are well: for gRPC the status OK, which is no status of HTTP."""
        return {"GrpcCode": "0"} if self.version == "GRPC" else {"HttpCode": "200-399"}

    def why_other_protocol(self, version: str) -> str:
        """Why a target group that is there does not do; empty when it speaks what it shall (pure)."""
        if version == self.version:
            return ""
        return (
            f"speaks {version} with its targets, and the catalog says {self.version}; ELBv2 never changes that of a "
            "target group. Write the protocol that it has again, or add a service of another name that speaks the new "
            "one, release it, lead its callers there, and take this one out; nothing was changed"
        )

    def why_not_ours(self, tags: Mapping[str, str], vpc: str) -> str:
        """Why a target group of this name is not taken over; empty when it is this slot's (pure)."""
        if wrong := [key for key, value in self.tags.items() if tags.get(key) != value]:
            has = ", ".join(f"{key}={tags.get(key, '(none)')}" for key in wrong)
            wants = ", ".join(f"{key}={self.tags[key]}" for key in wrong)
            return (
                f"has the name that this slot needs and is not its own (its tags are {has}); delete it or call it "
                f"otherwise, or, if nothing else uses it, tag it {wants}; nothing was changed"
            )
        if vpc and vpc != self.vpc:
            return f"is in {vpc}, the stack's VpcId is {self.vpc}: delete it, or correct VpcId; nothing was changed"
        return ""


class RuleSpec(msgspec.Struct, frozen=True):
    """A rule as it shall be: for a host, and for one value of a header when one is given."""

    host: str
    tags: dict[str, str]
    header: tuple[str, str] | None = None


class ShareSpec(msgspec.Struct, frozen=True):
    """What a service without a load balancer shall have. `resting` is the slot that has all until a release moves it;
    a `headless` one names Pods in DNS and has no address of its own."""

    kind: str
    service: str
    namespace: str
    environment: str
    resting: Slot
    port: dict[str, Any] = {}
    headless: bool = False


class ShareOnboarding(Protocol):
    """What onboarding a service without a load balancer needs of the cluster."""

    def ensure_share(self, spec: ShareSpec) -> str:
        """The name that stands for its listener; its Service is made where there is none.

        Raises
        ------
        Misconfigured
            There is a Service of that name that nobody has handed over.
        """


class Onboarding(Protocol):
    """What onboarding needs of the load balancer."""

    def ensure_target_group(self, spec: TargetGroupSpec) -> str:
        """The ARN of the target group of that name, made if there is none.

        Raises
        ------
        Misconfigured
            There is one of that name whose tags do not say that it is this slot's, or it is in another VPC.
        """

    def create_rule(self, listener: str, spec: RuleSpec, priority: int, weights: Mapping[str, int]) -> str:
        """Make a rule; its ARN."""
