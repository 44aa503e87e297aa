"""Jobs of a cluster, in memory: what `release.ports.Cluster` says of them, and how often each has run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from candlefish.errors import ClusterRefused
from candlefish.release.manifests.model import GENERATION_NOTE, JOB_LABEL, generation_of, refuse_newer
from candlefish.release.model import JobSeen, Manifest


class FakeJobs:
    """A cluster that makes Jobs and lets them run; how they end, a test says."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobSeen] = {}
        self.manifests: dict[str, Manifest] = {}
        self.written: dict[str, int] = {}
        # How often each was let run.
        self.ran: Counter[str] = Counter()
        self.stopped: list[str] = []
        self._made = 0

    def job(self, namespace: str, name: str) -> JobSeen | None:
        return self.jobs.get(name)

    def jobs_at_work(self, namespace: str, service: str) -> tuple[str, ...]:
        return tuple(
            name
            for name, seen in self.jobs.items()
            if seen.let_run
            and seen.state == "running"
            and self.manifests[name]["metadata"]["labels"][JOB_LABEL] == service
        )

    def make_job(self, job: Manifest) -> None:
        name = job["metadata"]["name"]
        if name not in self.jobs:
            self._made += 1
            assert job["spec"]["suspend"] is True
            self.jobs[name] = JobSeen(f"uid-{self._made}", "running", "it is suspended", suspended=True)
            self.manifests[name] = job
            self.written[name] = generation_of(job["metadata"]["annotations"])

    def let_job_run(self, namespace: str, name: str, *, uid: str, generation: int) -> None:
        seen = self.jobs.get(name)
        if seen is None or seen.uid != uid:
            raise ClusterRefused(f"Job {name} in {namespace}: another one is in its place")
        self._refuse_job(name, generation)
        if not seen.let_run:
            self.ran[name] += 1
            self._now(name, reason="its Pod runs", let_run=True, suspended=False)

    def stop_job(self, namespace: str, name: str, *, generation: int) -> None:
        if name in self.jobs:
            self._refuse_job(name, generation)
            self.stopped.append(name)
            self._now(name, state="failed", reason="it was stopped at its deadline")

    def ends(self, name: str, state: str = "complete", **what: Any) -> None:
        """A Job ends."""
        self._now(name, state=state, **what)

    def forget(self, name: str) -> None:
        """A Job goes: its time after its end is over, or somebody deletes it."""
        del self.jobs[name]

    def _refuse_job(self, name: str, generation: int) -> None:
        refuse_newer(f"Job {name}", {GENERATION_NOTE: str(self.written[name])}, generation)
        self.written[name] = generation

    def _now(self, name: str, **what: Any) -> None:
        self.jobs[name] = msgspec.structs.replace(self.jobs[name], **what)
