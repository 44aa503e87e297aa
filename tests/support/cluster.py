"""A cluster that runs what it is told to, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.adapters.kubernetes.changes import bounded, changes
from candlefish.errors import ClusterRefused
from candlefish.release.cron import cron_seen
from candlefish.release.manifests.model import CRON_LABEL, GENERATION_NOTE, RESTING_NOTE, refuse_newer
from candlefish.release.model import CronSeen, Manifest, Rollout, Running, Selecting
from candlefish.release.running import running_of
from candlefish.release.strangers import HARMS
from tests.support.jobs import FakeJobs

DEPLOYMENT, AUTOSCALER, CRON_JOB = "Deployment", "HorizontalPodAutoscaler", "CronJob"


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
        self.next_rollout = Rollout(status="ready", reason="all Pods are ready", ready=5, desired=5)

    def runs(self, name: str, replicas: int) -> None:
        """A slot that was deployed before anything of interest happened."""
        for kind in (DEPLOYMENT, AUTOSCALER):
            self.objects[kind, name] = {"kind": kind, "metadata": {"name": name}, "spec": {}}
        self.replicas[name] = replicas

    def apply(
        self, objects: Sequence[Manifest], *, generation: int, force: bool = False, resting: bool = False
    ) -> tuple[str, ...]:
        for each in objects:
            self._refuse(each["metadata"]["namespace"], each["kind"], each["metadata"]["name"], generation)
        changed: list[str] = []
        for each in objects:
            kind, name = each["kind"], each["metadata"]["name"]
            before = self.objects.get((kind, name))
            changed += changes(each, before, each)
            self.objects[kind, name] = _over(before, each) if before and kind == CRON_JOB else each
            if kind == DEPLOYMENT:
                self.replicas.setdefault(name, 0 if resting else 1)
        return bounded(changed)

    def pod_security(self, namespace: str) -> str | None:
        return self.next_pod_security

    def selecting(self, namespace: str) -> tuple[Selecting, ...]:
        return (*self.strangers, *(_selecting(each) for each in self.objects.values() if _selects(each)))

    def access_modes(self, namespace: str, claim: str) -> tuple[str, ...] | None:
        return self.claims.get(claim)

    def running(self, namespace: str, name: str) -> Running | None:
        found = self.objects.get((DEPLOYMENT, name))
        if found is None:
            return None
        asked = {**found, "spec": {**found["spec"], "replicas": self.replicas[name]}}
        return running_of(asked, autoscaled=(AUTOSCALER, name) in self.objects)

    def rollout(self, namespace: str, name: str) -> Rollout:
        return self.next_rollout

    def of_revision(self, revision: int) -> FakeCluster:
        return self

    def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
        self._stamp(namespace, DEPLOYMENT, name, generation)
        self.replicas[name] = max(self.replicas.get(name, 0), replicas)
        return self.replicas[name]

    def scale_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> None:
        self._stamp(namespace, DEPLOYMENT, name, generation)
        self.replicas[name] = replicas

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int, generation: int) -> None:
        self._stamp(namespace, AUTOSCALER, name, generation)
        self.bounds[name] = (minimum, maximum)

    def retire(self, namespace: str, name: str, generation: int) -> None:
        if (DEPLOYMENT, name) in self.objects:
            self._stamp(namespace, DEPLOYMENT, name, generation)
            self.replicas[name] = 0
        self.retired.append(name)

    def current_replicas(self, namespace: str, name: str) -> int:
        return self.replicas.get(name, 0)

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
