"""The Jobs of releases over the Kubernetes API: made, let run, looked at, stopped. See `release.ports.Cluster`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import msgspec

from candlefish.adapters.kubernetes.kinds import JOBS, PODS
from candlefish.adapters.kubernetes.messages import JSON, MERGE, ApiResponse, RequestCarrier
from candlefish.adapters.kubernetes.refusal import read_status, refusal
from candlefish.bounds import NO_JSON
from candlefish.errors import ClusterRefused, Unavailable
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

_T = TypeVar("_T")

CONFLICT, MISSING = 409, 404
# How often a Job that others write is looked at before it is left for another time.
LOOKS = 5


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
        answer = self._api.request("GET", _path(namespace, name), subject=subject)
        if answer.status == MISSING:
            return None
        job = _read(subject, answer, JobObject)
        query = {"labelSelector": f"batch.kubernetes.io/job-name={name}"}
        path = PODS.format(quote(namespace))
        pods = self._api.request("GET", path, subject=f"Pods of {subject}", query=query)
        seen = judge_job(job, _read(f"Pods of {subject}", pods, PodItems).items)
        if seen.state != "running" and seen.culprit and not seen.log:
            return msgspec.structs.replace(seen, log=self._log(namespace, seen.culprit))
        return seen

    def at_work(self, namespace: str, service: str) -> tuple[str, ...]:
        subject = f"Jobs of {service} in {namespace}"
        query = {"labelSelector": f"{JOB_LABEL}={service}"}
        answer = self._api.request("GET", JOBS.format(quote(namespace)), subject=subject, query=query)
        jobs = _read(subject, answer, JobItems).items
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
            content_type=JSON,
        )
        # It is there: an earlier look made it, whose answer was lost, or which died.
        if answer.status != CONFLICT:
            _ok(subject, answer)

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
        for _ in range(LOOKS):
            answer = self._api.request("GET", _path(namespace, name), subject=subject)
            if answer.status == MISSING and not uid:
                return
            metadata = _read(subject, answer, dict)["metadata"]
            if uid and metadata["uid"] != uid:
                raise ClusterRefused(f"{subject}: another one is in its place; find out who made it")
            annotations = metadata.get("annotations") or {}
            refuse_newer(subject, annotations, generation)
            if done(annotations):
                return
            seen = {"resourceVersion": metadata["resourceVersion"]}
            stamp = {"annotations": {GENERATION_NOTE: str(generation), **notes}}
            written = self._api.request(
                "PATCH",
                _path(namespace, name),
                subject=subject,
                query={"fieldManager": MANAGER},
                body={"metadata": {**seen, **stamp}, "spec": spec},
                content_type=MERGE,
            )
            if written.status == MISSING and not uid:
                return
            if written.status != CONFLICT:
                _ok(subject, written)
                return
        raise Unavailable(f"{subject}: others wrote it between look and write {LOOKS} times; try again")


def _path(namespace: str, name: str) -> str:
    return f"{JOBS.format(quote(namespace))}/{quote(name)}"


def _ok(subject: str, answer: ApiResponse) -> bytes:
    if answer.status >= 300:
        raise refusal(subject, answer.status, read_status(answer.body))
    return answer.body


def _read(subject: str, answer: ApiResponse, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(_ok(subject, answer), type=kind)
    except NO_JSON as error:
        raise Unavailable(f"{subject}: what answered is not the Kubernetes API ({error})") from error
