"""What a service is made of: slots, versions, weights, holders, holds and rollbacks. Values, nothing else."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from candlefish.bounds import LONGEST_BY, LONGEST_REASON, Name, fit, fit_id, fit_line, message_of
from candlefish.names import RELEASE, bounded_name

Slot = Literal["blue", "green"]
SLOTS: tuple[Slot, Slot] = ("blue", "green")
Disposition = Literal["bad", "rejected"]
Weights = dict[Slot, int]


def configuration_digest(text: str) -> str:
    """SHA-256 of a configuration, by which it is called; empty where it is not known."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def name_of_car(train: str, service: str) -> str:
    """What the release of one service of a train is called."""
    return bounded_name(train, service, longest=RELEASE)


class Version(msgspec.Struct, frozen=True):
    """What runs: an image by digest and the configuration that it is rendered with, perhaps a bundle of manifests in S3.

    `configuration` is text that `release/configuration.py` makes and reads; empty where it is not known, because
    older code released the version.
    """

    image: str
    label: str = ""
    bundle: str = ""
    bundle_digest: str = ""
    configuration: str = ""

    @property
    def digest(self) -> str:
        return self.image.partition("@")[2]

    @property
    def short(self) -> str:
        """What people call it: its label, or the first characters of its digest."""
        return self.label or self.digest.removeprefix("sha256:")[:12]

    @property
    def configuration_digest(self) -> str:
        """SHA-256 of the configuration, by which it is called; empty where it is not known."""
        return configuration_digest(self.configuration)

    def brings_same(self, other: Version | None) -> bool:
        """Whether it is the same image and bundle, whatever its configuration."""
        return other is not None and (self.image, self.bundle_digest) == (other.image, other.bundle_digest)

    def same_as(self, other: Version | None) -> bool:
        """Whether it is the same image, bundle and configuration; one that is not known is taken for the same."""
        if other is None or not self.brings_same(other):
            return False
        return not (self.configuration and other.configuration) or self.configuration == other.configuration


class SlotRecord(msgspec.Struct, frozen=True):
    """One of the two places a service can run in.

    `running` says that the slot has capacity. `incoming` is the version an in-place update brings
    to a stable slot; `before` is the version such an update replaced, kept for a rollback.
    `release` is what its objects are labelled with: applying `version` under the same label replaces
    no Pod. `retiring` is an intention: its Pods are being taken away, by whoever looks next, and no
    weight and no rollback goes to it any more.
    """

    target_group: str
    state: Literal["empty", "candidate", "stable", "previous", "bad"] = "empty"
    version: Version | None = None
    running: bool = False
    incoming: Version | None = None
    before: Version | None = None
    release: str = ""
    retiring: bool = False


class Sharing(msgspec.Struct, frozen=True):
    """How many Pods two slots have together while a release shares them, where Pods are what moves traffic.

    `slot` is the candidate's, whose share is rounded up; `total` is what the service had when the release began to
    share, `most` how many it may have.
    """

    slot: Slot
    total: int
    most: int


class Holder(msgspec.Struct, frozen=True):
    """Who may change the service now, until the lease runs out.

    `step` is how many steps of its plan have been begun, 0 where nobody wrote that down; `since` is when the last of
    them was.
    """

    release: str
    execution: str
    until: float
    step: int = 0
    since: float = 0.0


# The key of a hold that a person asked for (a pause): this, and the person's name.
PAUSE = "person:"


class Hold(msgspec.Struct, frozen=True):
    """Something that keeps a release from going forward; traffic stays where it is."""

    key: str
    reason: str
    since: float
    by: str
    # `wanted`: an experiment may answer it, so the judge goes on looking; `answered`: one has, and it stops nothing.
    trial: Literal["", "wanted", "answered"] = ""

    @property
    def is_pause(self) -> bool:
        """Whether a person asked for it."""
        return self.key.startswith(PAUSE)


class Rollback(msgspec.Struct, frozen=True):
    """A rollback that was decided and has not finished.

    `slot` is the slot that loses the traffic; `redeploy` says that the version must be put back in
    place (rolling) rather than the slot scaled down.
    """

    id: str
    release: str
    slot: Slot
    disposition: Disposition
    reason: str
    by: str
    at: float
    stop: str = ""
    redeploy: bool = False


class BadVersion(msgspec.Struct, frozen=True):
    """A version that was rolled back, and why. Without a digest of its configuration it is bad with any."""

    image: str
    bundle_digest: str
    reason: str
    at: float
    configuration_digest: str = ""

    def names(self, version: Version) -> bool:
        """Whether it is the version that was bad."""
        same = (self.image, self.bundle_digest) == (version.image, version.bundle_digest)
        known = self.configuration_digest and version.configuration
        return same and (not known or self.configuration_digest == version.configuration_digest)


class Remnant(msgspec.Struct, frozen=True):
    """What a rollback could not do, since when, and why; named as the timeline's entry of it is.

    `traffic_left`: users are still in `slot`, which was rolled back, for want of a healthy target where they belong.
    `not_restored`: the good version does not run in `slot` yet, in whose place another one came.
    """

    kind: Literal["traffic_left", "not_restored"]
    slot: Slot
    reason: str
    at: float


class StartedJob(msgspec.Struct, frozen=True):
    """A Job that was let run: what it is called in the cluster and in the catalog, and the object's uid."""

    name: str
    job: str
    uid: str


class RecordMark(msgspec.Struct, frozen=True, order=True):
    """How old a record is: what the world is marked with, so that an older record is known as such."""

    revision: int = 0
    generation: int = 0


class Quarantine(msgspec.Struct, frozen=True):
    """Why nobody may act by a record, and since when."""

    reason: str
    at: float


class RollbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants what rolled back and why.

    `release` limits the request to that release: when another one has taken over since, nothing is
    rolled back. `id` makes repeated deliveries of one request the same request.
    """

    id: str
    environment: str
    service: Name
    reason: str
    by: str
    release: str = ""
    disposition: Disposition = "bad"
    # False when the release's own execution asks and waits: stopping it would stop the rollback.
    stop: bool = True
    # Only while the release runs: one that was promoted meanwhile stays (an abort).
    only_running: bool = False

    def fit(self) -> RollbackRequest:
        """The request with words that can be kept: no rollback fails because of what is said of it.

        Step Functions hands over causes of up to 32 KB, people whatever they typed.
        """
        return msgspec.structs.replace(
            self,
            id=fit_id(self.id) or "rollback",
            release=fit_id(self.release),
            reason=fit(message_of(self.reason), LONGEST_REASON),
            by=fit_line(self.by, LONGEST_BY),
        )


def other(slot: Slot) -> Slot:
    """The slot that is not this one."""
    return "green" if slot == "blue" else "blue"


def all_to(slot: Slot) -> Weights:
    """All traffic to one slot."""
    return {slot: 100, other(slot): 0}


def listener_of(rule: str) -> str:
    """The ARN of the listener that a rule is of, from its own (`...:listener-rule/app/name/id/listener/rule`)."""
    return rule.rpartition("/")[0].replace(":listener-rule/", ":listener/")


# What takes the place of an ARN's `arn:aws:...` where no load balancer is: `kubernetes:worker:listener-rule/shop/mailer`.
SHARE_OF_PODS = "kubernetes:"


def is_balanced(arn: str) -> bool:
    """Whether a rule, listener or target group is a load balancer's, and not the share of Pods."""
    return not arn.startswith(SHARE_OF_PODS)


def is_stateful(arn: str) -> bool:
    """Whether a rule or target group stands for a StatefulSet, which is updated in place."""
    return arn.startswith(f"{SHARE_OF_PODS}stateful:")


def balancer_of(arn: str) -> str:
    """A load balancer as CloudWatch knows it, `app/name/id`, from the ARN of a listener or rule of it."""
    return "/".join(arn.rpartition(":")[2].split("/")[1:4])


def group_of(target_group: str) -> str:
    """A target group as CloudWatch knows it, `targetgroup/name/id`, from its ARN."""
    return target_group.rpartition(":")[2]
