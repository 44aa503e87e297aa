"""What a release needs from the world beside the shared ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from candlefish.release.manifests.model import Manifest
from candlefish.release.rollout import Rollout


class Cluster(Protocol):
    """The Kubernetes API of one environment's cluster. Every call may be repeated.

    `name` is a slot's name (`manifests.slot_name`): its Deployment and HorizontalPodAutoscaler
    are both called that.

    Raises
    ------
    Throttled, Unavailable
        The API asked to slow down, or did not answer, and retries ran out. A call that was cut off
        may have taken effect; repeat it.
    ClusterRefused
        The API said no (not found, forbidden, invalid, owned by somebody else); the message names
        the object and the next step.
    """

    def apply(self, objects: Sequence[Manifest], *, force: bool = False) -> None:
        """Server-side apply in dependency order, as field manager `candlefish-control-plane`.

        All objects are tried against the API first (dry run), so that a refused one leaves the
        cluster as it was. Fields that somebody else owns are a refusal, unless `force`.

        Applying never changes how many Pods a Deployment asks for: one that rests at 0 still does
        afterwards, and a new one starts with 1. `raise_to` wakes it.
        """

    def rollout(self, namespace: str, name: str) -> Rollout:
        """How far the slot's Deployment has come. A missing one is a refusal, never ready."""

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        """Ask for this many Pods now. Within the autoscaler's bounds it may move them afterwards."""

    def raise_to(self, namespace: str, name: str, replicas: int) -> int:
        """Ask for at least this many Pods now; how many are asked for afterwards.

        Wakes a slot that rests at 0, which its autoscaler never would.
        """

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int) -> None:
        """Set the autoscaler's range. It rests while the Deployment is scaled to 0."""

    def retire(self, namespace: str, name: str) -> None:
        """Take all Pods away and keep everything else. A slot that does not exist is retired."""

    def current_replicas(self, namespace: str, name: str) -> int:
        """How many Pods the Deployment asks for now; 0 when there is none."""


class Bundles(Protocol):
    """Manifest bundles that `helm template` rendered, kept in S3."""

    def read(self, uri: str, digest: str) -> list[Manifest]:
        """The objects of a bundle.

        Raises
        ------
        InvalidInput
            There is no such object, its SHA-256 is not `digest`, or it is no list of objects.
        """


class Answer(msgspec.Struct, frozen=True):
    """What a web server answered; status 0 when it did not."""

    status: int
    reason: str = ""


class Web(Protocol):
    """The load balancer's front door, as a user sees it."""

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> Answer:
        """One GET; no answer is status 0, never an error."""

    def pause(self, seconds: float) -> None:
        """Wait before asking again."""


class HookAnswer(msgspec.Struct, frozen=True):
    """What a hook said."""

    passed: bool
    reason: str = ""


class Hooks(Protocol):
    """Calls that may veto a release."""

    def call(self, target: str, payload: Mapping[str, Any], within: float) -> HookAnswer:
        """Ask a Lambda function (by name) or an HTTPS URL.

        Raises
        ------
        Unavailable
            It did not answer within the time.
        """
