"""The Jobs of releases with one fence taken away at a time (`broken.py`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import msgspec

from candlefish.adapters.kubernetes import jobs
from candlefish.adapters.kubernetes.jobs import KubernetesJobs
from candlefish.adapters.kubernetes.kinds import JOBS
from candlefish.adapters.kubernetes.messages import MERGE
from candlefish.adapters.kubernetes.objects import answered, find_object
from candlefish.release import run_job
from candlefish.release.jobs import JobStep
from candlefish.service.model import StartedJob
from candlefish.service.record import ServiceRecord

Break = Callable[[ExitStack], None]


def instead(stack: ExitStack, where: Any, name: str, what: Any) -> None:
    """Put something else in a name's place, for as long as the stack is open."""
    stack.enter_context(patch.object(where, name, what))


def not_written_down(stack: ExitStack) -> None:
    instead(stack, run_job, "note_job", lambda record, **what: record)


def whatever_is_written_down(stack: ExitStack) -> None:
    real = run_job.note_job

    def note_job(record: ServiceRecord, *, generation: int, job: StartedJob) -> ServiceRecord:
        return record if record.job(job.name) else real(record, generation=generation, job=job)

    instead(stack, run_job, "note_job", note_job)


def of_any_generation(stack: ExitStack) -> None:
    def note_job(record: ServiceRecord, *, generation: int, job: StartedJob) -> ServiceRecord:
        return msgspec.structs.replace(record, jobs=(job,))

    instead(stack, run_job, "note_job", note_job)


def of_any_name(stack: ExitStack) -> None:
    """Each is called as none is yet, as with `generateName`."""
    real = KubernetesJobs.make

    def make(self: KubernetesJobs, job: Any) -> None:
        metadata = job["metadata"]
        path = JOBS.format(metadata["namespace"])
        there = answered("them", self._api.request("GET", path, subject="them"), dict)["items"]
        real(self, {**job, "metadata": {**metadata, "name": f"{metadata['name']}-{len(there)}"}})

    instead(stack, KubernetesJobs, "make", make)


def begins_at_once(stack: ExitStack) -> None:
    real = KubernetesJobs.make

    def make(self: KubernetesJobs, job: Any) -> None:
        real(self, {**job, "spec": {**job["spec"], "suspend": False}})

    instead(stack, KubernetesJobs, "make", make)


def let_run_without_version(stack: ExitStack) -> None:
    def patch_as_seen(api: Any, subject: str, path: str, wanted: Any) -> Any:
        live: Any = find_object(api, subject, path, dict)
        change = None if live is None else wanted(live)
        if change is not None:
            query = {"fieldManager": "us"}
            api.request("PATCH", path, subject=subject, query=query, body=change, content_type=MERGE)
        return live

    instead(stack, jobs, "patch_as_seen", patch_as_seen)


def _next_of_job(change: Callable[..., Any]) -> Break:
    """`change` gets the real decision, what is seen and what is written down."""

    def breaks(stack: ExitStack) -> None:
        real = run_job.next_of_job

        def next_of_job(seen: Any, noted: Any, *rest: Any, **more: Any) -> Any:
            return change(lambda seen, noted: real(seen, noted, *rest, **more), seen, noted)

        instead(stack, run_job, "next_of_job", next_of_job)

    return breaks


def not_looked_up(stack: ExitStack) -> None:
    whatever_is_written_down(stack)
    _next_of_job(lambda decide, seen, noted: decide(seen, None))(stack)


def _any_end(decide: Any, seen: Any, noted: Any) -> Any:
    step = decide(seen, noted)
    return JobStep("done", step.reason) if step.action == "failed" else step


def _no_end(decide: Any, seen: Any, noted: Any) -> Any:
    step = decide(seen, noted)
    return JobStep("done", step.reason) if step.action == "wait" else step


def _in_its_place(decide: Any, seen: Any, noted: Any) -> Any:
    return decide(seen, msgspec.structs.replace(noted, uid=seen.uid) if seen and noted else noted)


def whoever_is_at_work(stack: ExitStack) -> None:
    instead(stack, run_job, "_others", lambda *args: ())


# A Job's look does not compare uids; it does not wait for the end; any end is a good one.
in_its_place, without_end, whatever_end = (_next_of_job(each) for each in (_in_its_place, _no_end, _any_end))
