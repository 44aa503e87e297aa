"""What becomes of a chart's Jobs and hooks: which step of a release runs each, and what of Helm's does not apply. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from candlefish.catalog.model import Service
from candlefish.release.manifests import BundledJob
from candlefish.release.manifests.hooks import DELETES, NOT_RUN, events_of, weight_of

_WHEN = {
    "before": "before anything of the version runs",
    "after": "after the last step, with all traffic on the version",
}
# By the kinds of releases that run it alike: Helm's install is the first release of a service.
_RELEASES = {
    ("install", "upgrade"): "in every release",
    ("install",): "in the first release of the service alone",
    ("upgrade",): "in every release but the first",
}


def job_lines(
    jobs: Sequence[BundledJob], documents: Sequence[Mapping[str, Any]], service: Service
) -> Iterator[str]:
    """A line for each step that a Job of the chart becomes, in their order, and lines about what Helm would do else."""
    by_name = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Job"}
    for job in jobs:
        document = by_name[job.chart]
        events = ", ".join(sorted(events_of(document)))
        said = (
            f"helm.sh/hook {events}, weight {weight_of(document)}" if events else "no hook: taken as before"
        )
        if any(own.name == job.name for own in service.jobs):
            yield f"  job      {job.name}: left out, the catalog's job of this name runs instead"
            continue
        times = " and ".join(_times(job))
        yield f"  job      {job.name}: runs once, within {job.within:.0f} s, {times} ({said})"
        yield from (f"             {line}" for line in _unlike_helm(document))


def _times(job: BundledJob) -> Iterator[str]:
    for moment, words in _WHEN.items():
        kinds = tuple(kind for kind in ("install", "upgrade") if job.moments.get(kind) == moment)
        if kinds:
            yield f"{words} {_RELEASES[kinds]}"


def _unlike_helm(document: Mapping[str, Any]) -> Iterator[str]:
    if DELETES in (document["metadata"].get("annotations") or {}):
        yield f"{DELETES} is left out: the Job stays for a week, so that it cannot be made twice"
    for event in sorted(events_of(document) & NOT_RUN.keys()):
        yield f"not at {event}: it {NOT_RUN[event]}"
