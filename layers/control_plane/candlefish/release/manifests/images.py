"""Whose images a bundle's containers run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from candlefish.errors import InvalidInput
from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest

_PINNED = re.compile(
    r"(?P<repository>[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+)(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"@(?P<digest>sha256:[0-9a-f]{64})"
)


def place_images(pod: Manifest, workload: Workload, refused: Callable[[str], InvalidInput]) -> Manifest:
    """Give each container of a Pod its image, in place; the container that is the service.

    What comes from the service's repository is the release's image, which passed the gates. Anything
    else must come from one of the service's `sidecars` in the catalog, pinned by digest.
    """
    mains = _mains(pod, workload)
    if len(mains) != 1:
        raise _refuse_mains(pod, mains, workload, refused, "exactly one must be the service")
    _place(pod, workload, refused)
    return mains[0]


def place_job_images(
    pod: Manifest, workload: Workload, refused: Callable[[str], InvalidInput]
) -> Manifest | None:
    """The same for a Pod of a Job; the container that runs the service's image, or None where none does."""
    mains = _mains(pod, workload)
    if len(mains) > 1:
        raise _refuse_mains(pod, mains, workload, refused, "at most one of a Job may be")
    _place(pod, workload, refused)
    return mains[0] if mains else None


def _mains(pod: Manifest, workload: Workload) -> list[Manifest]:
    own = repository(workload.image)
    return [c for c in pod["containers"] if repository(c["image"]) == own]


def _refuse_mains(
    pod: Manifest,
    mains: list[Manifest],
    workload: Workload,
    refused: Callable[[str], InvalidInput],
    rule: str,
) -> InvalidInput:
    have = ", ".join(ascii(c["image"]) for c in pod["containers"])
    return refused(
        f"spec.template.spec.containers has {len(mains)} containers from {workload.service.image} (its images: {have}); "
        f"{rule}"
    )


def _place(pod: Manifest, workload: Workload, refused: Callable[[str], InvalidInput]) -> None:
    own = repository(workload.image)
    for path, container in _containers(pod):
        if repository(container["image"]) == own:
            container["image"] = workload.image
        else:
            container["image"] = _pinned(container["image"], path, workload, refused)


def other_images(objects: Iterable[Manifest], image: str, more: Iterable[Manifest] = ()) -> tuple[str, ...]:
    """The images beside the release's own that a slot's objects run, each once; `more` are specifications of other Pods."""
    specs: list[Manifest] = []
    for each in objects:
        if each["kind"] in ("Deployment", "CronJob"):
            specs.append(each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each["spec"])
    pods = [*(spec["template"]["spec"] for spec in specs), *more]
    return tuple(sorted({c["image"] for pod in pods for _, c in _containers(pod)} - {image}))


def repository(image: str) -> str:
    """An image reference without tag and digest, and with the registry that a short name means.

    A colon before a slash belongs to a port. `nginx` is docker.io/library/nginx to every container runtime.
    """
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    bare = head + slash + last.partition(":")[0]
    first, deeper, _ = bare.partition("/")
    if deeper and ("." in first or ":" in first or first == "localhost"):
        return bare
    return f"docker.io/{bare}" if deeper else f"docker.io/library/{bare}"


def _containers(pod: Manifest) -> Iterator[tuple[str, Manifest]]:
    for field in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(field) or []):
            yield f"spec.template.spec.{field}[{index}].image", container


def _pinned(image: str, path: str, workload: Workload, refused: Callable[[str], InvalidInput]) -> str:
    service = workload.service
    match = _PINNED.fullmatch(image)
    if match is None:
        raise refused(
            f"{path} is {image[:200]!a}, which can change; pin it by digest, like repository@sha256:<64 hex digits>"
        )
    if match["repository"] not in service.sidecars:
        raise refused(
            f"{path} is from {match['repository']}, which is neither {service.image} nor one of {service.name}'s "
            "sidecars; add the repository to `sidecars` of the service in catalog/services.yaml"
        )
    # The digest says what runs; a tag beside it says nothing.
    return f"{match['repository']}@{match['digest']}"
