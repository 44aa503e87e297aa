"""What one slot of one service is rendered from, and the names and labels its objects carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from candlefish.catalog.model import Environment, Replicas, Service, ServiceKind
from candlefish.errors import InvalidInput, StaleGeneration
from candlefish.names import bounded_name
from candlefish.service.model import Slot
from candlefish.service.record import ServiceRecord

MANAGER = "candlefish-control-plane"
SERVICE_LABEL = "candlefish.ai/service"
SLOT_LABEL = "candlefish.ai/slot"
RELEASE_LABEL = "candlefish.ai/release"
# Of the Service that stands for the rule where no load balancer is: its kind of service.
SHARE_LABEL = "candlefish.ai/share"
VERSION_NOTE = "candlefish.ai/version"
IMAGE_NOTE = "candlefish.ai/image"
GENERATION_NOTE = "candlefish.ai/generation"
REVISION_NOTE = "candlefish.ai/revision"
RELEASE_NOTE = "candlefish.ai/release"
BUNDLE_NOTE = "candlefish.ai/bundle"
BUNDLE_DIGEST_NOTE = "candlefish.ai/bundle-digest"
CONFIGURATION_NOTE = "candlefish.ai/configuration"
CONFIGURATION_DIGEST_NOTE = "candlefish.ai/configuration-digest"
# Of a Job and its Pods: whose they are. None of the labels that Services, budgets and policies of slots select by.
JOB_LABEL = "candlefish.ai/job-of"
# Of a Job that was let run: one that is suspended all the same was stopped by somebody.
LET_RUN_NOTE = "candlefish.ai/let-run"
# Of a CronJob, its Jobs and their Pods: whose they are. None of the labels that slots' objects select by either.
CRON_LABEL = "candlefish.ai/cron-of"
# Of a slot's Deployment: the CronJobs that its version has.
CRON_NOTE = "candlefish.ai/cron"
# Of a CronJob that we suspended, because the stable version has none of its name.
RESTING_NOTE = "candlefish.ai/resting"
ROLE_NOTE = "eks.amazonaws.com/role-arn"

# Of a StatefulSet that was there before its first release: what it ran, to be given back should that release fail.
ADOPTED_NOTE = "candlefish.ai/before"
# It was given back: the next release takes it over anew.
GIVEN_BACK_NOTE = "candlefish.ai/given-back"
# Stands before what the `Cluster` port calls a StatefulSet.
STATEFUL = "statefulset/"

# What Kubernetes takes as a CronJob's name: it puts the time behind it for each Job.
LONGEST_CRON = 52

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
# As many digits as a number of the record can have; an integer of thousands of digits is refused by Python.
_NUMBER = re.compile(r"[0-9]{1,18}")
_NOT_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")

Store = Literal["postgres", "redis"]


class Callee(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one service has to know of another one that it calls inside the cluster."""

    name: str
    port: int
    kind: ServiceKind = "web"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one service in one slot.

    Attributes
    ----------
    image:
        The image by digest (`repository@sha256:...`).
    version:
        What people call it (a tag, a commit).
    release:
        Id of the release that brings it. A new id replaces the slot's Pods.
    generation:
        The record's generation that it is deployed by. A new one alone replaces no Pods. 0 is older than any, so that
        what nobody said it of overwrites nothing that a release made.
    bundle, bundle_digest:
        The version's bundle, to be found again from the cluster alone; empty for none.
    configuration, configuration_digest:
        The version's configuration as text, to be found again likewise; empty for a version that knows none.
    replicas:
        The range of the slot's HorizontalPodAutoscaler.
    target_group:
        ARN of the slot's target group.
    role:
        ARN of the IAM role that the Pods assume; empty for none.
    ready_within:
        Seconds a rollout may take; the strategy's.
    drain:
        Seconds a Pod keeps serving after it was told to go. Covers the time in which the load
        balancer still sends it requests.
    finish:
        Seconds it then has for the requests it is working on.
    dependencies:
        The services it calls inside the cluster; egress is opened to them.
    stores:
        The kinds of stores that the environment has; egress is opened to them.
    callers:
        Names of the services that declare to call this one; None where nobody knows any more.
    services:
        Names of all services of the catalog: what is called after another one is not this one's.
    """

    service: Service
    environment: Environment
    slot: Slot
    image: str
    version: str
    release: str
    replicas: Replicas
    target_group: str
    generation: int = 0
    role: str = ""
    bundle: str = ""
    bundle_digest: str = ""
    configuration: str = ""
    configuration_digest: str = ""
    ready_within: float = 600
    drain: int = 30
    finish: int = 30
    dependencies: tuple[Callee, ...] = ()
    stores: tuple[Store, ...] = ()
    callers: tuple[str, ...] | None = None
    services: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.image):
            raise InvalidInput(
                f"image {self.image!r} of {self.service.name} is not pinned; "
                "name it by digest, like ghcr.io/org/app@sha256:<64 hex digits>"
            )

    @property
    def name(self) -> str:
        """Name of the slot's own objects. A stateful service has one of each, whose name stays."""
        own = self.service.name
        return own if self.service.kind == "stateful" else slot_name(own, self.slot)

    @property
    def account(self) -> str:
        """The ServiceAccount of its Pods."""
        return self.service.account

    @property
    def namespace(self) -> str:
        return self.environment.namespace

    @property
    def selector(self) -> dict[str, str]:
        """What selects the slot's Pods. Immutable in a Deployment, so it must never change."""
        return {SERVICE_LABEL: self.service.name, SLOT_LABEL: self.slot}

    @property
    def shared_labels(self) -> dict[str, str]:
        """Labels of objects that both slots use; nothing of a version is in them."""
        return {
            "app.kubernetes.io/name": self.service.name,
            "app.kubernetes.io/part-of": "candlefish",
            "app.kubernetes.io/managed-by": MANAGER,
            SERVICE_LABEL: self.service.name,
        }

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the slot's objects and Pods."""
        return {
            **self.shared_labels,
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/version": label_value(self.version),
            SLOT_LABEL: self.slot,
            RELEASE_LABEL: label_value(self.release),
        }

    @property
    def notes(self) -> dict[str, str]:
        """Annotations that say exactly what runs."""
        return {VERSION_NOTE: self.version, IMAGE_NOTE: self.image}

    @property
    def fence(self) -> dict[str, str]:
        """The annotation of every object that says who wrote it last (see `refuse_newer`)."""
        return {GENERATION_NOTE: str(self.generation)}

    @property
    def deployment_notes(self) -> dict[str, str]:
        """The Deployment's annotations: everything that a lost record says of the slot (see `running_of`)."""
        bundle = {BUNDLE_NOTE: self.bundle, BUNDLE_DIGEST_NOTE: self.bundle_digest} if self.bundle else {}
        known = {
            CONFIGURATION_NOTE: self.configuration,
            CONFIGURATION_DIGEST_NOTE: self.configuration_digest,
        }
        configuration = known if self.configuration else {}
        cron = cron_note(cron_name(self.service.name, each.name) for each in self.service.cron)
        return {**self.notes, **self.fence, RELEASE_NOTE: self.release, **bundle, **configuration, **cron}


def slot_name(service: str, slot: Slot) -> str:
    """Name of a slot's Deployment, Service, HPA, PDB and TargetGroupBinding."""
    return f"{service}-{slot}"


def stateful_name(service: str, slot: Slot) -> str:
    """What a slot of a stateful service is to the `Cluster` port: the service's StatefulSet, where it is that slot's."""
    return f"{STATEFUL}{service}/{slot}"


def runner_of(service: str, slot: Slot, *, stateful: bool) -> str:
    """What runs in a slot, as the `Cluster` port calls it."""
    return (stateful_name if stateful else slot_name)(service, slot)


def runner_name(record: ServiceRecord, slot: Slot) -> str:
    """What runs in a slot of a record, as the `Cluster` port calls it."""
    return runner_of(record.service, slot, stateful=record.stateful)


class Called(NamedTuple):
    """What a name of the `Cluster` port stands for. `slot` is the one that a StatefulSet has to be of: a service has one
    StatefulSet, and the other slot has none. Empty for a Deployment."""

    kind: str
    name: str
    slot: str = ""


def called(name: str) -> Called:
    """Read a name of the `Cluster` port."""
    if not name.startswith(STATEFUL):
        return Called("Deployment", name)
    own, _, slot = name.removeprefix(STATEFUL).partition("/")
    return Called("StatefulSet", own, slot)


def cron_name(service: str, cron: str) -> str:
    """What a CronJob of the catalog is called in the cluster: one a service, whatever the slot."""
    return bounded_name(service, cron, longest=LONGEST_CRON)


def cron_note(names: Iterable[str]) -> dict[str, str]:
    """The annotation of a Deployment that says which CronJobs its version has; nothing where it has none."""
    known = ",".join(sorted(names))
    return {CRON_NOTE: known} if known else {}


def generation_of(annotations: Mapping[str, str]) -> int:
    """The generation that wrote an object; 0 when it does not say, or says something that is no number."""
    written_by = annotations.get(GENERATION_NOTE, "")
    return int(written_by) if _NUMBER.fullmatch(written_by) else 0


def revision_of(annotations: Mapping[str, str]) -> int:
    """The revision of the record that an object's number of Pods follows; 0 where none is written down."""
    text = annotations.get(REVISION_NOTE, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def refuse_newer(subject: str, annotations: Mapping[str, str], generation: int, revision: int = 0) -> None:
    """Raise `StaleGeneration` when a newer generation than the caller's wrote an object, or a later write of the same one.

    One from before generations were written down, or whose annotation is no number, passes. A `revision` of 0 follows
    no revision of a record, and is held to its generation alone.
    """
    if (written_by := generation_of(annotations)) > generation:
        raise StaleGeneration(
            f"{subject}: generation {written_by} wrote it, the caller holds {generation}: a newer release, "
            "rollback or failover has the slot; this call left it as it was"
        )
    if revision and written_by == generation and (later := revision_of(annotations)) > revision:
        raise StaleGeneration(
            f"{subject}: it follows revision {later} of the record, the caller revision {revision}: a later write of the "
            "same release or rollback was there; this call left it as it was"
        )


def label_value(text: str) -> str:
    """The nearest valid label value: at most 63 of `A-Za-z0-9_.-`, alphanumeric at both ends."""
    return _NOT_LABEL.sub("-", text)[:63].strip("_.-")
