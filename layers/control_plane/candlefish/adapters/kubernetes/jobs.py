"""The Jobs of releases over the Kubernetes API: made, let run, looked at, stopped. See `release.ports.Cluster`."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import msgspec

from candlefish.adapters.kubernetes.kinds import JOBS, PODS
from candlefish.adapters.kubernetes.messages import RequestCarrier
from candlefish.adapters.kubernetes.objects import CONFLICT, accepted, answered, find_object, patch_as_seen
from candlefish.errors import ClusterRefused
from candlefish.release.jobs import JobObject, judge_job
from candlefish.release.manifests.model import (
    GENERATION_NOTE,
    JOB_LABEL,
    LET_RUN_NOTE,
    MANAGER,
    refuse_newer,
)
from candlefish.release.model import Culprit, JobSeen, Manifest
from candlefish.release.pods import Pod


class PodItems(msgspec.Struct, frozen=True):
    items: tuple[Pod, ...] = ()


class JobItems(msgspec.Struct, frozen=True):
    items: tuple[JobObject, ...] = ()


class KubernetesJobs:
    """The part of `Cluster` that is about Jobs. `log` reads the end of a container's log."""

    def __init__(self, api: RequestCarrier, log: Callable[[str, Culprit], str]) -> None:
        self._api, self._log = api, log

    def look(self, namespace: str, name: str) -> JobSeen | None:
        subject = f"Job {name} in {namespace}"
        job = find_object(self._api, subject, _path(namespace, name), JobObject)
        if job is None:
            return None
        query = {"labelSelector": f"batch.kubernetes.io/job-name={name}"}
        path = PODS.format(quote(namespace))
        pods = self._api.request("GET", path, subject=f"Pods of {subject}", query=query)
        seen = judge_job(job, answered(f"Pods of {subject}", pods, PodItems).items)
        if seen.state != "running" and seen.culprit and not seen.log:
            return msgspec.structs.replace(seen, log=self._log(namespace, seen.culprit))
        return seen

    def at_work(self, namespace: str, service: str) -> tuple[str, ...]:
        subject = f"Jobs of {service} in {namespace}"
        query = {"labelSelector": f"{JOB_LABEL}={service}"}
        answer = self._api.request("GET", JOBS.format(quote(namespace)), subject=subject, query=query)
        jobs = answered(subject, answer, JobItems).items
        return tuple(
            job.metadata.name
            for job in jobs
            if LET_RUN_NOTE in job.metadata.annotations and judge_job(job, ()).state == "running"
        )

    def make(self, job: Manifest) -> None:
        metadata = job["metadata"]
        subject = f"Job {metadata['name']} in {metadata['namespace']}"
        answer = self._api.request(
            "POST",
            JOBS.format(quote(metadata["namespace"])),
            subject=subject,
            query={"fieldManager": MANAGER, "fieldValidation": "Strict"},
            body=job,
        )
        # It is there: an earlier look made it, whose answer was lost, or which died.
        if answer.status != CONFLICT:
            accepted(subject, answer)

    def let_run(self, namespace: str, name: str, *, uid: str, generation: int) -> None:
        note = {LET_RUN_NOTE: str(generation)}
        self._patch(
            namespace, name, generation, uid, {"suspend": False}, note, lambda job: LET_RUN_NOTE in job
        )

    def stop(self, namespace: str, name: str, *, generation: int) -> None:
        # Suspended it would never end, and so never go; a second of time ends it for good.
        self._patch(namespace, name, generation, "", {"activeDeadlineSeconds": 1}, {}, lambda job: False)

    def _patch(
        self,
        namespace: str,
        name: str,
        generation: int,
        uid: str,
        spec: Manifest,
        notes: dict[str, str],
        done: Callable[[dict[str, str]], bool],
    ) -> None:
        """Set fields of a Job, if nobody newer wrote it and nobody writes it in between."""
        subject = f"Job {name} in {namespace}"

        def change(live: Manifest) -> Manifest | None:
            if uid and live["metadata"]["uid"] != uid:
                raise ClusterRefused(f"{subject}: another one is in its place; find out who made it")
            annotations = live["metadata"].get("annotations") or {}
            refuse_newer(subject, annotations, generation)
            if done(annotations):
                return None
            return {
                "metadata": {"annotations": {GENERATION_NOTE: str(generation), **notes}},
                "spec": spec,
            }

        if patch_as_seen(self._api, subject, _path(namespace, name), change) is None and uid:
            raise ClusterRefused(f"{subject}: it is not there any more; find out who deleted it")


def _path(namespace: str, name: str) -> str:
    return f"{JOBS.format(quote(namespace))}/{quote(name)}"
