"""The release engine's `Cluster` port over the Kubernetes API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, Generic, NamedTuple, Self, TypeVar

import msgspec
from msgspec import structs

from candlefish.adapters.kubernetes.api import Api, TokenSource
from candlefish.adapters.kubernetes.changes import bounded, changes
from candlefish.adapters.kubernetes.cron import KubernetesCron
from candlefish.adapters.kubernetes.jobs import KubernetesJobs
from candlefish.adapters.kubernetes.kinds import (
    AUTOSCALERS,
    CLAIMS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    SELECTING,
    STATEFUL_SETS,
    in_apply_order,
    path_of,
    title,
)
from candlefish.adapters.kubernetes.messages import APPLY, ApiResponse, RequestCarrier
from candlefish.adapters.kubernetes.objects import (
    CONFLICT,
    FORBIDDEN,
    LOOKS,
    MISSING,
    accepted,
    answered,
    contested,
    find_object,
    patch_as_seen,
)
from candlefish.adapters.kubernetes.refusal import read_status
from candlefish.adapters.kubernetes.stateful import KubernetesStateful
from candlefish.errors import ClusterRefused, ControlPlaneError
from candlefish.release.manifests.model import (
    GENERATION_NOTE,
    MANAGER,
    REVISION_NOTE,
    SLOT_LABEL,
    Called,
    called,
    refuse_newer,
)
from candlefish.release.model import CronSeen, Culprit, JobSeen, Manifest, Rollout, Running, Selecting
from candlefish.release.pods import LOG_LINES, Pod, log_tail
from candlefish.release.rollout import Deployment, judge_rollout
from candlefish.release.running import running_of
from candlefish.release.stateful import fitted, is_adopted, must_take_over
from candlefish.release.stateful_rollout import StatefulSet, judge_stateful

_T = TypeVar("_T")

OK = 200
POD_SECURITY = "pod-security.kubernetes.io/enforce"
PAGE = 250
LOG_BYTES = 4096
# A version that no object has (etcd's first revision writes nothing): applied with it, an object is made or,
# when somebody made it since we looked, refused like one that was written.
NEW = "1"


class ListMeta(msgspec.Struct, frozen=True, rename={"next": "continue"}):
    next: str = ""


class Listed(msgspec.Struct, Generic[_T], frozen=True):
    """A page of the API."""

    items: tuple[_T, ...] = ()
    metadata: ListMeta = ListMeta()


class NamedMeta(msgspec.Struct, frozen=True):
    name: str = ""
    labels: dict[str, str] | None = None


class SelectingSpec(msgspec.Struct, frozen=True):
    selector: dict[str, Any] | None = None


class SelectingObject(msgspec.Struct, frozen=True):
    metadata: NamedMeta = NamedMeta()
    spec: SelectingSpec = SelectingSpec()

    def pods(self, kind: str) -> dict[str, Any] | None:
        """What it finds Pods by; a Service writes labels alone."""
        selector = self.spec.selector
        return {"matchLabels": selector} if kind == "Service" and selector else selector


PodList, SelectingList = Listed[Pod], Listed[SelectingObject]


class Look(NamedTuple):
    """An object that may be applied to, as it was seen (None when missing), and whether all that stands
    against the apply is what we wrote ourselves by patch."""

    live: Manifest | None
    force: bool


class Runner(NamedTuple):
    """What runs a slot: what to call it in a message, where the API serves it, and what the port's name says."""

    subject: str
    path: str
    called: Called

    @property
    def stateful(self) -> bool:
        return bool(self.called.slot)

    def means(self, found: Manifest) -> bool:
        """Whether an object is the slot's: a StatefulSet says whose it is."""
        return self.is_labelled(found["metadata"].get("labels") or {})

    def is_labelled(self, labels: Mapping[str, str]) -> bool:
        return not self.stateful or labels.get(SLOT_LABEL) == self.called.slot


def runner(namespace: str, name: str) -> Runner:
    """What the port's name of a slot stands for."""
    here = called(name)
    path = STATEFUL_SETS if here.slot else DEPLOYMENTS
    return Runner(f"{here.kind} {here.name} in {namespace}", path.format(namespace, here.name), here)


class KubernetesCluster:
    """`Cluster` over one API; see `release.ports.Cluster` for what each call promises."""

    def __init__(self, api: RequestCarrier) -> None:
        self._api = api
        self._jobs = KubernetesJobs(api, self._log)
        self._cron = KubernetesCron(api)
        self._stateful = KubernetesStateful(
            api, lambda namespace, selector: self._pods(namespace, selector.get("matchLabels") or {})
        )
        self._revision = 0

    def apply(
        self,
        objects: Sequence[Manifest],
        *,
        generation: int,
        force: bool = False,
        resting: bool = False,
        again: bool = False,
    ) -> tuple[str, ...]:
        ordered = self._stateful.beside(in_apply_order(objects), again=again)
        looks = [self._rehearse(manifest, generation, force=force) for manifest in ordered]
        changed: list[str] = []
        for manifest, look in zip(ordered, looks, strict=True):
            if resting and look.live is None and manifest["kind"] == "Deployment":
                look = self._make_at_rest(manifest, generation, force=force)
            changed += self._apply(manifest, look, generation, force=force)
        return bounded(changed)

    def running(self, namespace: str, name: str) -> Running | None:
        here = runner(namespace, name)
        found = find_object(self._api, here.subject, here.path, dict)
        if found is None or not here.means(found):
            return None
        if here.stateful:
            return running_of(found, autoscaled=False)
        subject = f"HorizontalPodAutoscaler {name} in {namespace}"
        scaled = find_object(self._api, subject, AUTOSCALERS.format(namespace, name), dict) is not None
        return running_of(found, autoscaled=scaled)

    def rollout(self, namespace: str, name: str) -> Rollout:
        here = runner(namespace, name)
        answer = self._api.request("GET", here.path, subject=here.subject)
        deployment = answered(here.subject, answer, Deployment)
        pods = self._pods(namespace, deployment.spec.selector.match_labels)
        if here.stateful:
            seen = judge_stateful(answered(here.subject, answer, StatefulSet), pods)
        else:
            seen = judge_rollout(deployment, pods)
        if seen.status == "failed" and seen.culprit and (said := self._log(namespace, seen.culprit)):
            return structs.replace(seen, reason=f"{seen.reason}; the end of its log: {said}")
        return seen

    def of_revision(self, revision: int) -> Self:
        made = copy(self)
        made._revision = revision
        return made

    def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
        here = runner(namespace, name)

        def at_least(live: Manifest) -> Manifest:
            return {"replicas": max(replicas, live["spec"].get("replicas", 1))}

        written = self._write(here.subject, here.path, generation, at_least, here.means)
        if written is None:
            raise _missing(here.subject, "deploy the slot again")
        asked: int = written["replicas"]
        return asked

    def scale_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> None:
        here, exactly = runner(namespace, name), {"replicas": replicas}
        if self._write(here.subject, here.path, generation, lambda live: exactly, here.means) is None:
            raise _missing(here.subject, "deploy the slot again")

    def retire(self, namespace: str, name: str, generation: int) -> bool:
        here = runner(namespace, name)
        if here.stateful and self._stateful.give_back(here.subject, here.path, here.means, generation):
            return True
        self._write(here.subject, here.path, generation, lambda live: {"replicas": 0}, here.means)
        return False

    def free_stuck(self, namespace: str, name: str, generation: int) -> str:
        here = runner(namespace, name)
        return self._stateful.free(here.subject, here.path, namespace, generation) if here.stateful else ""

    def rehearse(self, objects: Sequence[Manifest], *, generation: int) -> None:
        for manifest in in_apply_order(objects):
            self._rehearse(manifest, generation, force=False)

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int, generation: int) -> None:
        subject = f"HorizontalPodAutoscaler {name} in {namespace}"
        bounds = {"minReplicas": minimum, "maxReplicas": maximum}
        if self._write(subject, AUTOSCALERS.format(namespace, name), generation, lambda live: bounds) is None:
            raise _missing(subject, "somebody deleted it; deploy the slot again, which makes a new one")

    def current_replicas(self, namespace: str, name: str) -> int:
        here = runner(namespace, name)
        found = find_object(self._api, here.subject, here.path, Deployment)
        return found.spec.replicas if found and here.is_labelled(found.metadata.labels) else 0

    def pod_security(self, namespace: str) -> str | None:
        subject = f"Namespace {namespace}"
        answer = self._api.request("GET", NAMESPACES.format(namespace), subject=subject)
        if answer.status in (FORBIDDEN, MISSING):
            return None
        metadata = answered(subject, answer, dict).get("metadata") or {}
        level: str = (metadata.get("labels") or {}).get(POD_SECURITY, "")
        return level

    def job(self, namespace: str, name: str) -> JobSeen | None:
        return self._jobs.look(namespace, name)

    def jobs_at_work(self, namespace: str, service: str) -> tuple[str, ...]:
        return self._jobs.at_work(namespace, service)

    def make_job(self, job: Manifest) -> None:
        self._jobs.make(job)

    def let_job_run(self, namespace: str, name: str, *, uid: str, generation: int) -> None:
        self._jobs.let_run(namespace, name, uid=uid, generation=generation)

    def stop_job(self, namespace: str, name: str, *, generation: int) -> None:
        self._jobs.stop(namespace, name, generation=generation)

    def cron_jobs(self, namespace: str, service: str) -> tuple[CronSeen, ...]:
        return self._cron.of(namespace, service)

    def rest_cron_job(self, namespace: str, name: str, rests: bool, *, generation: int) -> None:
        self._cron.rest(namespace, name, rests, generation=generation)

    def selecting(self, namespace: str) -> tuple[Selecting, ...]:
        return tuple(
            Selecting(kind, each.metadata.name, each.pods(kind), each.metadata.labels or {})
            for kind, path in SELECTING.items()
            for each in self._list(f"{kind}s in {namespace}", path.format(namespace), {}, SelectingList)
        )

    def access_modes(self, namespace: str, claim: str) -> tuple[str, ...] | None:
        found = find_object(
            self._api, f"PersistentVolumeClaim {claim} in {namespace}", CLAIMS.format(namespace, claim), dict
        )
        return None if found is None else tuple((found.get("spec") or {}).get("accessModes") or ())

    # --- applying ------------------------------------------------------------------------------

    def _rehearse(self, manifest: Manifest, generation: int, *, force: bool) -> Look:
        """See whether an object may be applied to, and whether the API would take it; nothing is changed."""
        subject = title(manifest)
        live = find_object(self._api, subject, path_of(manifest), dict)
        refuse_newer(subject, _notes(live), generation)
        manifest = fitted(manifest, live)
        if live and must_take_over(manifest, live):
            accepted(subject, self._stateful.take_over(manifest, live, rehearsal=True))
            return Look(live, force=True)
        force = force or is_adopted(live)
        answer = self._send(manifest, force=force, rehearsal=True)
        # What we patched is ours too, though the API keeps patches and applies apart.
        if ours := answer.status == CONFLICT and read_status(answer.body).managers == {MANAGER}:
            answer = self._send(manifest, force=True, rehearsal=True)
        accepted(subject, answer)
        return Look(live, force or ours)

    def _apply(self, manifest: Manifest, look: Look, generation: int, *, force: bool) -> list[str]:
        """Apply to the object that was looked at, or look again; what changed since the first look."""
        first, subject = look.live, title(manifest)
        for _ in range(LOOKS):
            if look.live and must_take_over(manifest, look.live):
                self._take_over(manifest, look.live)
                look = self._rehearse(manifest, generation, force=force)
                continue
            version = look.live["metadata"]["resourceVersion"] if look.live else NEW
            answer = self._send(fitted(manifest, look.live), force=look.force, version=version)
            # Who writes in between changes the version. Our own write, repeated because its answer was lost, too.
            if answer.status != CONFLICT or read_status(answer.body).managers - {MANAGER}:
                return changes(manifest, first, answered(subject, answer, dict))
            look = self._rehearse(manifest, generation, force=force)
        raise contested(subject)

    def _take_over(self, manifest: Manifest, live: Manifest) -> None:
        answer = self._stateful.take_over(fitted(manifest, live), live)
        if answer.status != CONFLICT:
            accepted(title(manifest), answer)

    def _make_at_rest(self, manifest: Manifest, generation: int, *, force: bool) -> Look:
        """Make a Deployment without Pods; how it is seen then. Applied, it would begin with one.

        It is made as by hand, so that whoever applies to it does not come to own how many Pods it asks for.
        """
        subject = title(manifest)
        answer = self._api.request(
            "POST",
            path_of(manifest).rpartition("/")[0],
            subject=subject,
            query={"fieldManager": MANAGER, "fieldValidation": "Strict"},
            body={**manifest, "spec": {**manifest["spec"], "replicas": 0}},
        )
        if answer.status != CONFLICT:
            accepted(subject, answer)
        return self._rehearse(manifest, generation, force=force)

    def _send(
        self, manifest: Manifest, *, force: bool, version: str = "", rehearsal: bool = False
    ) -> ApiResponse:
        query = {"fieldManager": MANAGER, "force": str(force).lower(), "fieldValidation": "Strict"}
        if rehearsal:
            query["dryRun"] = "All"
        body = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}
        return self._api.request(
            "PATCH",
            path_of(manifest),
            subject=title(manifest),
            query=query,
            body=body if version else manifest,
            content_type=APPLY,
        )

    # --- single fields -------------------------------------------------------------------------

    def _write(
        self,
        subject: str,
        path: str,
        generation: int,
        wanted: Callable[[Manifest], Manifest],
        means: Callable[[Manifest], bool] = lambda live: True,
    ) -> Manifest | None:
        """Set fields of an object's spec, with the caller's generation; those that it has then, None when there is no
        object, or not the one that is meant."""

        notes = {GENERATION_NOTE: str(generation)}
        if self._revision:
            notes[REVISION_NOTE] = str(self._revision)

        def change(live: Manifest) -> Manifest | None:
            if not means(live):
                return None
            refuse_newer(subject, _notes(live), generation, self._revision)
            fields = wanted(live)
            if notes.items() <= _notes(live).items() and fields.items() <= live["spec"].items():
                return None
            return {"metadata": {"annotations": notes}, "spec": fields}

        seen = patch_as_seen(self._api, subject, path, change)
        return None if seen is None or not means(seen) else wanted(seen)

    # --- reading -------------------------------------------------------------------------------

    def _log(self, namespace: str, culprit: Culprit) -> str:
        """The last lines of a container's log; empty where they cannot be had, which keeps no verdict back."""
        subject = f"the log of container {culprit.container} of Pod {culprit.pod}"
        query = {"container": culprit.container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        if culprit.previous:
            query["previous"] = "true"
        with suppress(ControlPlaneError):
            answer = self._api.request(
                "GET", f"{PODS.format(namespace)}/{culprit.pod}/log", subject=subject, query=query
            )
            if answer.status == OK:
                return log_tail(answer.body.decode(errors="replace"))
        return ""

    def _pods(self, namespace: str, labels: dict[str, str]) -> list[Pod]:
        query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())}
        return self._list(f"Pods in {namespace}", PODS.format(namespace), query, PodList)

    def _list(self, subject: str, path: str, query: dict[str, str], kind: type[Listed[_T]]) -> list[_T]:
        found: list[_T] = []
        query = {**query, "limit": str(PAGE)}
        while True:
            page = answered(subject, self._api.request("GET", path, subject=subject, query=query), kind)
            found.extend(page.items)
            if not page.metadata.next:
                return found
            query["continue"] = page.metadata.next


def _notes(live: Manifest | None) -> Mapping[str, str]:
    return ((live or {}).get("metadata") or {}).get("annotations") or {}


def _missing(subject: str, next_step: str) -> ClusterRefused:
    return ClusterRefused(f"{subject}: there is none; {next_step}")


def connect_cluster(
    endpoint: str, ca_pem: str, tokens: TokenSource, *, sleep: Callable[[float], None] = time.sleep
) -> KubernetesCluster:
    """A cluster by its endpoint (`https://host`) and its CA certificate (PEM); connects on first use."""
    return KubernetesCluster(Api(endpoint, ca_pem, tokens, sleep=sleep))
