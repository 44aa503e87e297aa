"""The release engine's `Cluster` port over the Kubernetes API."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from candlefish.adapters.kubernetes.api import Api, TokenSource
from candlefish.adapters.kubernetes.kinds import (
    AUTOSCALERS,
    DEPLOYMENTS,
    PODS,
    in_apply_order,
    path_of,
    title,
)
from candlefish.adapters.kubernetes.messages import APPLY, MERGE, ApiResponse, RequestCarrier
from candlefish.adapters.kubernetes.refusal import read_status, refusal
from candlefish.errors import Unavailable
from candlefish.release.manifests.model import MANAGER, refuse_newer
from candlefish.release.model import Manifest, Rollout
from candlefish.release.rollout import Deployment, Pod, judge_rollout

_T = TypeVar("_T")

CONFLICT = 409
MISSING = 404
PAGE = 250
# How often a Deployment that others write is looked at before its slot is retired.
LOOKS = 5


class ListMeta(msgspec.Struct, frozen=True, rename={"next": "continue"}):
    next: str = ""


class PodList(msgspec.Struct, frozen=True):
    items: tuple[Pod, ...] = ()
    metadata: ListMeta = ListMeta()


class ScaleSpec(msgspec.Struct, frozen=True):
    # The API leaves a zero out.
    replicas: int = 0


class Scale(msgspec.Struct, frozen=True):
    spec: ScaleSpec = ScaleSpec()


class DeployedMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str
    annotations: dict[str, str] = {}


class Deployed(msgspec.Struct, frozen=True):
    """Of a Deployment: who deployed it, and which version of it this is."""

    metadata: DeployedMeta


class KubernetesCluster:
    """`Cluster` over one API; see `release.ports.Cluster` for what each call promises."""

    def __init__(self, api: RequestCarrier) -> None:
        self._api = api

    def apply(self, objects: Sequence[Manifest], *, force: bool = False) -> None:
        ordered = in_apply_order(objects)
        for rehearsal in (True, False):
            for manifest in ordered:
                self._apply(manifest, force=force, rehearsal=rehearsal)

    def rollout(self, namespace: str, name: str) -> Rollout:
        subject = f"Deployment {name} in {namespace}"
        answer = self._api.request("GET", DEPLOYMENTS.format(namespace, name), subject=subject)
        deployment = _read(subject, answer, Deployment)
        return judge_rollout(deployment, self._pods(namespace, deployment.spec.selector.match_labels))

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        subject = f"Deployment {name} in {namespace}"
        _ok(subject, self._scale(subject, namespace, name, replicas))

    def raise_to(self, namespace: str, name: str, replicas: int) -> int:
        now = self.current_replicas(namespace, name)
        if now < replicas:
            self.scale(namespace, name, replicas)
        return max(now, replicas)

    def retire(self, namespace: str, name: str, generation: int) -> None:
        subject = f"Deployment {name} in {namespace}"
        for _ in range(LOOKS):
            answer = self._api.request("GET", DEPLOYMENTS.format(namespace, name), subject=subject)
            if answer.status == MISSING:
                return
            seen = _read(subject, answer, Deployed).metadata
            refuse_newer(subject, seen.annotations, generation)
            # Who deploys in between changes the version: the API refuses the write, and we look again.
            answer = self._scale(subject, namespace, name, 0, seen.resource_version)
            if answer.status == MISSING:
                return
            if answer.status != CONFLICT:
                _ok(subject, answer)
                return
        raise Unavailable(
            f"{subject}: others wrote it between look and write {LOOKS} times; nothing was changed, try again"
        )

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int) -> None:
        subject = f"HorizontalPodAutoscaler {name} in {namespace}"
        change = {"spec": {"minReplicas": minimum, "maxReplicas": maximum}}
        _ok(subject, self._patch(subject, AUTOSCALERS.format(namespace, name), change))

    def current_replicas(self, namespace: str, name: str) -> int:
        subject = f"Deployment {name} in {namespace}"
        answer = self._api.request("GET", DEPLOYMENTS.format(namespace, name) + "/scale", subject=subject)
        if answer.status == MISSING:
            return 0
        return _read(subject, answer, Scale).spec.replicas

    def _apply(self, manifest: Manifest, *, force: bool, rehearsal: bool) -> None:
        query = {"fieldManager": MANAGER, "force": str(force).lower(), "fieldValidation": "Strict"}
        if rehearsal:
            query["dryRun"] = "All"
        subject, path = title(manifest), path_of(manifest)

        def send() -> ApiResponse:
            return self._api.request(
                "PATCH", path, subject=subject, query=query, body=manifest, content_type=APPLY
            )

        answer = send()
        # What set_bounds wrote is ours too, though the API keeps patches and applies apart.
        if answer.status == CONFLICT and read_status(answer.body).managers == {MANAGER}:
            query["force"] = "true"
            answer = send()
        _ok(subject, answer)

    def _scale(
        self, subject: str, namespace: str, name: str, replicas: int, version: str = ""
    ) -> ApiResponse:
        """Set the number of Pods; with `version` (a resourceVersion) only if nobody wrote since."""
        path = DEPLOYMENTS.format(namespace, name) + "/scale"
        unless_written = {"metadata": {"resourceVersion": version}} if version else {}
        return self._patch(subject, path, {"spec": {"replicas": replicas}, **unless_written})

    def _patch(self, subject: str, path: str, change: dict[str, Any]) -> ApiResponse:
        query = {"fieldManager": MANAGER}
        return self._api.request("PATCH", path, subject=subject, query=query, body=change, content_type=MERGE)

    def _pods(self, namespace: str, labels: dict[str, str]) -> list[Pod]:
        subject = f"Pods in {namespace}"
        query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items()), "limit": str(PAGE)}
        pods: list[Pod] = []
        while True:
            answer = self._api.request("GET", PODS.format(namespace), subject=subject, query=query)
            page = _read(subject, answer, PodList)
            pods.extend(page.items)
            if not page.metadata.next:
                return pods
            query["continue"] = page.metadata.next


def _ok(subject: str, answer: ApiResponse) -> bytes:
    if answer.status >= 300:
        raise refusal(subject, answer.status, read_status(answer.body))
    return answer.body


def _read(subject: str, answer: ApiResponse, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(_ok(subject, answer), type=kind)
    except msgspec.DecodeError as error:
        raise Unavailable(
            f"{subject}: what answered is not the Kubernetes API ({error}); check the cluster's endpoint"
        ) from error


def connect_cluster(
    endpoint: str, ca_pem: str, tokens: TokenSource, *, sleep: Callable[[float], None] = time.sleep
) -> KubernetesCluster:
    """A cluster by its endpoint (`https://host`) and its CA certificate (PEM); connects on first use."""
    return KubernetesCluster(Api(endpoint, ca_pem, tokens, sleep=sleep))
