"""A cluster that runs what it is told to, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.adapters.kubernetes.changes import bounded, changes
from candlefish.errors import ClusterRefused
from candlefish.release.cron import cron_seen
from candlefish.release.manifests.model import (
    CRON_LABEL,
    GENERATION_NOTE,
    RESTING_NOTE,
    SLOT_LABEL,
    called,
    refuse_newer,
)
from candlefish.release.model import CronSeen, Manifest, Rollout, Running, Selecting
from candlefish.release.running import running_of
from candlefish.release.stateful import fitted, standing
from candlefish.release.strangers import HARMS
from tests.support.jobs import FakeJobs

DEPLOYMENT, AUTOSCALER, CRON_JOB = "Deployment", "HorizontalPodAutoscaler", "CronJob"
STATEFUL_SET = "StatefulSet"


class FakeCluster(FakeJobs):
    """`release.ports.Cluster`: remembers what it was told; Deployments are as ready as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.replicas: dict[str, int] = {}
        self.bounds: dict[str, tuple[int, int]] = {}
        self.retired: list[str] = []
        # What somebody else has in the namespace, and how claims may be mounted.
        self.strangers: tuple[Selecting, ...] = ()
        self.claims: dict[str, tuple[str, ...]] = {}
        self.next_pod_security: str | None = "restricted"
        # The broken Pod that a StatefulSet would wait for.
        self.next_stuck = ""
        self.next_rollout = Rollout(status="ready", reason="all Pods are ready", ready=5, desired=5)

    def runs(self, name: str, replicas: int) -> None:
        """A slot that was deployed before anything of interest happened."""
        for kind in (DEPLOYMENT, AUTOSCALER):
            self.objects[kind, name] = {"kind": kind, "metadata": {"name": name}, "spec": {}}
        self.replicas[name] = replicas

    def apply(
        self,
        objects: Sequence[Manifest],
        *,
        generation: int,
        force: bool = False,
        resting: bool = False,
        again: bool = False,
    ) -> tuple[str, ...]:
        objects = self._beside(objects, again=again)
        self.rehearse(objects, generation=generation)
        changed: list[str] = []
        for each in objects:
            kind, name = each["kind"], each["metadata"]["name"]
            before = self.objects.get((kind, name))
            changed += changes(each, before, each)
            self.objects[kind, name] = _over(before, each) if before and kind == CRON_JOB else each
            if kind in (DEPLOYMENT, STATEFUL_SET):
                self.replicas.setdefault(name, 0 if resting and kind == DEPLOYMENT else 1)
        return bounded(changed)

    def _beside(self, objects: Sequence[Manifest], *, again: bool) -> Sequence[Manifest]:
        own = next((each["metadata"]["name"] for each in objects if each["kind"] == STATEFUL_SET), "")
        live = self.objects.get((STATEFUL_SET, own))
        return [standing(each, live, again=again) for each in objects] if live else objects

    def rehearse(self, objects: Sequence[Manifest], *, generation: int) -> None:
        for each in objects:
            self._refuse(each["metadata"]["namespace"], each["kind"], each["metadata"]["name"], generation)
            fitted(each, self.objects.get((each["kind"], each["metadata"]["name"])))

    def free_stuck(self, namespace: str, name: str, generation: int) -> str:
        if not (called(name).slot and self._runs(name)):
            return ""
        self._refuse(namespace, *_key(name), generation)
        freed, self.next_stuck = self.next_stuck, ""
        return freed

    def _runs(self, name: str) -> Manifest | None:
        """What runs a slot; a StatefulSet is one slot's."""
        found = self.objects.get(_key(name))
        if found and called(name).slot and found["metadata"]["labels"].get(SLOT_LABEL) != called(name).slot:
            return None
        return found

    def pod_security(self, namespace: str) -> str | None:
        return self.next_pod_security

    def selecting(self, namespace: str) -> tuple[Selecting, ...]:
        return (*self.strangers, *(_selecting(each) for each in self.objects.values() if _selects(each)))

    def access_modes(self, namespace: str, claim: str) -> tuple[str, ...] | None:
        return self.claims.get(claim)

    def running(self, namespace: str, name: str) -> Running | None:
        found = self._runs(name)
        if found is None:
            return None
        asked = {**found, "spec": {**found["spec"], "replicas": self.replicas[_key(name)[1]]}}
        return running_of(asked, autoscaled=(AUTOSCALER, name) in self.objects)

    def rollout(self, namespace: str, name: str) -> Rollout:
        return self.next_rollout

    def of_revision(self, revision: int) -> FakeCluster:
        return self

    def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
        kind, own = self._own(namespace, name)
        self._stamp(namespace, kind, own, generation)
        self.replicas[own] = max(self.replicas.get(own, 0), replicas)
        return self.replicas[own]

    def _own(self, namespace: str, name: str) -> tuple[str, str]:
        if called(name).slot and not self._runs(name):
            raise ClusterRefused(f"{name} in {namespace}: there is none")
        return _key(name)

    def scale_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> None:
        kind, own = self._own(namespace, name)
        self._stamp(namespace, kind, own, generation)
        self.replicas[own] = replicas

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int, generation: int) -> None:
        self._stamp(namespace, AUTOSCALER, name, generation)
        self.bounds[name] = (minimum, maximum)

    def retire(self, namespace: str, name: str, generation: int) -> bool:
        if self._runs(name):
            kind, own = _key(name)
            self._stamp(namespace, kind, own, generation)
            self.replicas[own] = 0
        self.retired.append(name)
        return False

    def current_replicas(self, namespace: str, name: str) -> int:
        if called(name).slot and not self._runs(name):
            return 0
        return self.replicas.get(_key(name)[1], 0)

    def cron_jobs(self, namespace: str, service: str) -> tuple[CronSeen, ...]:
        return tuple(
            cron_seen(each)
            for each in self.objects.values()
            if each["kind"] == CRON_JOB and each["metadata"]["labels"][CRON_LABEL] == service
        )

    def rest_cron_job(self, namespace: str, name: str, rests: bool, *, generation: int) -> None:
        if found := self.objects.get((CRON_JOB, name)):
            self._stamp(namespace, CRON_JOB, name, generation)
            found = self.objects[CRON_JOB, name]
            notes = {**found["metadata"]["annotations"], RESTING_NOTE: "true"}
            if not rests:
                del notes[RESTING_NOTE]
            self.objects[CRON_JOB, name] = {
                **found,
                "metadata": {**found["metadata"], "annotations": notes},
                "spec": {**found["spec"], "suspend": rests},
            }

    def _refuse(self, namespace: str, kind: str, name: str, generation: int) -> None:
        found = self.objects.get((kind, name), {"metadata": {}})
        notes = found["metadata"].get("annotations") or {}
        refuse_newer(f"{kind} {name} in {namespace}", notes, generation)

    def _stamp(self, namespace: str, kind: str, name: str, generation: int) -> None:
        """Whoever writes says who it was, unless somebody newer did."""
        if (kind, name) not in self.objects:
            raise ClusterRefused(f"{kind} {name} in {namespace}: there is none")
        self._refuse(namespace, kind, name, generation)
        found = self.objects[kind, name]
        notes = {**(found["metadata"].get("annotations") or {}), GENERATION_NOTE: str(generation)}
        self.objects[kind, name] = {**found, "metadata": {**found["metadata"], "annotations": notes}}


def _key(name: str) -> tuple[str, str]:
    here = called(name)
    return here.kind, here.name


def _over(before: Manifest, cron_job: Manifest) -> Manifest:
    """A CronJob that is applied: what others said of it stays."""
    resting = {key: text for key, text in before["metadata"]["annotations"].items() if key == RESTING_NOTE}
    metadata = cron_job["metadata"]
    suspended = {"suspend": before["spec"]["suspend"]} if "suspend" in before["spec"] else {}
    return {
        **cron_job,
        "metadata": {**metadata, "annotations": {**metadata["annotations"], **resting}},
        "spec": {**cron_job["spec"], **suspended},
    }


def _selects(each: Manifest) -> bool:
    return each["kind"] in HARMS and "selector" in each["spec"]


def _selecting(each: Manifest) -> Selecting:
    selector = each["spec"]["selector"]
    named = {"matchLabels": selector} if each["kind"] == "Service" else selector
    return Selecting(each["kind"], each["metadata"]["name"], named, each["metadata"].get("labels", {}))
