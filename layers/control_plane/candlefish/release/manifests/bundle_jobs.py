"""Jobs and Helm hooks of a bundle: which of them a release runs, when, and the Pod of each. Pure.

Helm runs a hook at its event and waits for it; a release does the same with a step. The first release of a service is
Helm's install, every other one its upgrade. A Job that is no hook is one before: what it makes is needed by what comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from candlefish.release.manifests.admit import admit, refuse_object
from candlefish.release.manifests.harden import harden_job
from candlefish.release.manifests.hooks import Moment, events_of, weight_of
from candlefish.release.manifests.model import Workload
from candlefish.release.manifests.references import made_by, point_at_slot
from candlefish.release.model import Manifest

# Seconds that a Job may take where its chart does not say.
WITHIN = 600.0


class BundledJob(NamedTuple):
    """A Job of a bundle. `within` is seconds; `chart` is what the chart calls it, `pod` the specification of its Pod."""

    name: str
    chart: str
    moments: Mapping[str, Moment]
    within: float
    pod: Manifest

    def when(self, *, first: bool) -> Moment | None:
        """When a release runs it; None where it does not. `first`: nothing of the service is stable yet."""
        return self.moments.get("install" if first else "upgrade")


def bundled_jobs(bundle: Sequence[Manifest], workload: Workload) -> tuple[BundledJob, ...]:
    """The Jobs of a bundle in the order in which a release runs them: by weight, then by name, as Helm does.

    Raises
    ------
    InvalidInput
        The bundle holds what a release must not touch, or a Job that no release can run once.
    """
    kinds = admit(bundle, workload)
    known = made_by(kinds)
    found: dict[str, BundledJob] = {}
    for document in sorted(kinds["Job"], key=lambda each: (weight_of(each), each["metadata"]["name"])):
        job = _job(document, known, workload)
        if job.name in found:
            raise refuse_object(
                document, f"it would be step {job.name}, as Job {found[job.name].chart} is; call it otherwise"
            )
        found[job.name] = job
    return tuple(found.values())


def _job(document: Manifest, known: Any, workload: Workload) -> BundledJob:
    spec, refused = document["spec"], partial(refuse_object, document)
    pod: Manifest = spec["template"]["spec"]
    if not pod["containers"]:
        raise refused("spec.template.spec has no containers; check the chart's values")
    pod["serviceAccountName"] = workload.account
    point_at_slot(pod, known, workload)
    harden_job(pod, workload, refused)
    name: str = document["metadata"]["name"]
    return BundledJob(
        name=step_name(name, workload.service.name),
        chart=name,
        moments=_moments(document),
        within=float(spec.get("activeDeadlineSeconds", WITHIN)),
        pod=pod,
    )


def step_name(name: str, service: str) -> str:
    """What a Job of a chart is called in a plan: without the service's name, which stands before it anyway."""
    return (name.removeprefix(f"{service}-") or name).replace(".", "-")


def _moments(document: Manifest) -> dict[str, Moment]:
    events = events_of(document)
    if not events:
        return {"install": "before", "upgrade": "before"}
    moments: dict[str, Moment] = {}
    words: tuple[tuple[str, Moment], ...] = (("pre", "before"), ("post", "after"))
    for kind in ("install", "upgrade"):
        at = [moment for word, moment in words if f"{word}-{kind}" in events]
        if len(at) > 1:
            raise refuse_object(
                document,
                f"is a hook of both pre-{kind} and post-{kind}, and a release runs a Job once; make two Jobs of it",
            )
        if at:
            moments[kind] = at[0]
    return moments
