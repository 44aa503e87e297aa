"""A Job that runs once in a release, beside the objects of the slot: the same image, settings and identity.

It is no Pod of the slot: it carries none of the labels that Services, budgets and policies of slots select by, it has
no port and nobody asks it whether it is well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy

from candlefish.catalog.model import Cron, Job
from candlefish.errors import InvalidInput
from candlefish.names import bounded_name
from candlefish.release.manifests.bundle_jobs import BundledJob
from candlefish.release.manifests.model import JOB_LABEL, MANAGER, RELEASE_NOTE, Workload
from candlefish.release.manifests.references import made_by, renamed
from candlefish.release.model import Manifest

# How long a Job stays after its end, in seconds: as long as nobody asks how it ended any more, and no write comes late.
KEPT = 7 * 86400
# What runs Pods, leads to them or looks after their number.
_NOT_AROUND = {
    "Deployment",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Service",
    "TargetGroupBinding",
    "NetworkPolicy",
    "CronJob",
}
# What a Pod reads and cannot begin without, and the longest name of such a thing.
COPIED = ("ConfigMap", "ExternalSecret", "SecretProviderClass")
LONGEST_NAME = 253
# What a container has because it serves.
SERVING = ("ports", "readinessProbe", "livenessProbe", "startupProbe", "lifecycle")
# What a Pod has because there are several of it, or because it serves.
_SEVERAL = ("topologySpreadConstraints", "initContainers", "terminationGracePeriodSeconds", "affinity")


def job_objects(
    objects: Sequence[Manifest], workload: Workload, job: Job | BundledJob, *, name: str
) -> tuple[tuple[Manifest, ...], Manifest]:
    """What has to be there before a Job's Pod can begin, and the Job, which is suspended.

    `objects` are those of the slot. A Job of the catalog runs the slot's own Pod, one of a bundle its own.
    """
    around = [deepcopy(each) for each in objects if each["kind"] not in _NOT_AROUND]
    policy = policy_of(objects, workload, JOB_LABEL, "jobs")
    pod = deepcopy(
        _charts(job.pod)
        if isinstance(job, BundledJob)
        else pod_once(pod_of(objects, workload), workload, job)
    )
    _own_copies(around, pod)
    return (*around, policy), _job(pod, workload, job.within, name)


def _own_copies(around: Sequence[Manifest], pod: Manifest) -> None:
    """Let a Job read copies of the version's settings and secrets, in place.

    In a rolling release the slot's own are what the version before reads until it is replaced.
    """
    kinds: dict[str, list[Manifest]] = {kind: [] for kind in COPIED}
    for each in around:
        if each["kind"] in kinds:
            kinds[each["kind"]].append(each)
    renamed(pod, kinds, {(kind, name): _copy_of(name) for kind, name in made_by(kinds)})
    for each in kinds["ExternalSecret"]:
        each["metadata"]["name"] = _copy_of(each["metadata"]["name"])


def _copy_of(name: str) -> str:
    return bounded_name(name, "jobs", longest=LONGEST_NAME)


def _charts(pod: Manifest) -> Manifest:
    """The Pod of a chart's Job as one that runs once: all its containers, without what serves."""
    kept = {"initContainers": pod["initContainers"]} if "initContainers" in pod else {}
    containers = [
        {key: value for key, value in each.items() if key not in SERVING} for each in pod["containers"]
    ]
    return {**alone(pod), **kept, "restartPolicy": "Never", "containers": containers}


def _job(pod: Manifest, workload: Workload, within: float, name: str) -> Manifest:
    labels = labels_of(JOB_LABEL, workload)
    notes = {**workload.notes, **workload.fence, RELEASE_NOTE: workload.release}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": workload.namespace,
            "labels": labels,
            "annotations": notes,
        },
        "spec": {
            "suspend": True,
            # Once: a Pod that fails, is evicted or loses its node is not followed by another one.
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": max(1, math.ceil(within)),
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": labels, "annotations": workload.notes},
                "spec": pod,
            },
        },
    }


def pod_once(pod: Manifest, workload: Workload, what: Job | Cron) -> Manifest:
    """A slot's Pod as one that runs something and ends: without what serves, with the job's own words."""
    main = next(each for each in pod["containers"] if each["image"] == workload.image)
    container = {key: value for key, value in main.items() if key not in SERVING}
    container["env"] = _variables(main.get("env", []), what.env)
    for field, words in (("command", what.command), ("args", what.args)):
        if what.command or words:
            # A command takes the place of the service's whole command line.
            container[field] = [_letter_for_letter(word) for word in words]
    if what.resources:
        need = what.resources
        container["resources"] = {
            "requests": {"cpu": need.cpu, "memory": need.memory},
            "limits": {"cpu": need.cpu_limit, "memory": need.memory_limit},
        }
    return {**alone(pod), "restartPolicy": "Never", "containers": [container]}


def alone(pod: Manifest) -> Manifest:
    """A Pod's specification without what it has because there are several of it."""
    spec = {key: value for key, value in pod.items() if key not in _SEVERAL}
    affinity = {key: value for key, value in pod.get("affinity", {}).items() if key == "nodeAffinity"}
    return {**spec, **({"affinity": affinity} if affinity else {})}


def pod_of(objects: Sequence[Manifest], workload: Workload) -> Manifest:
    """The Pod of a slot, by its objects."""
    for each in objects:
        if each["kind"] in ("Deployment", "StatefulSet"):
            pod: Manifest = each["spec"]["template"]["spec"]
            return _without_claims(pod, each["spec"].get("volumeClaimTemplates") or ())
    raise InvalidInput(
        f"slot {workload.slot} of {workload.service.name} has nothing to take a Job's Pod from"
    )


def _without_claims(pod: Manifest, claims: Sequence[Manifest]) -> Manifest:
    """A Pod without the volumes that are one Pod's of a StatefulSet: those are no other's to mount."""
    names = {each["metadata"]["name"] for each in claims}
    if not names:
        return pod
    containers = [
        {**each, "volumeMounts": [m for m in each["volumeMounts"] if m["name"] not in names]}
        for each in pod["containers"]
    ]
    return {**pod, "containers": containers}


def labels_of(label: str, workload: Workload) -> dict[str, str]:
    """The labels of what runs beside the slots: `label` says whose it is."""
    return {
        label: workload.service.name,
        "app.kubernetes.io/part-of": "candlefish",
        "app.kubernetes.io/managed-by": MANAGER,
    }


def _variables(served: Sequence[Manifest], own: dict[str, str]) -> list[Manifest]:
    mine = [{"name": name, "value": _letter_for_letter(value)} for name, value in sorted(own.items())]
    return [*(each for each in served if each["name"] not in own), *mine]


def _letter_for_letter(text: str) -> str:
    """Text of the catalog as it arrives there: Kubernetes reads `$(NAME)` and `$$` in commands and variables."""
    return text.replace("$", "$$")


def policy_of(objects: Sequence[Manifest], workload: Workload, label: str, name: str) -> Manifest:
    """What runs beside the slots reaches what the slot's Pods reach, and nobody reaches it. One for all of the service."""
    slots = next(each for each in objects if each["kind"] == "NetworkPolicy")
    metadata = {
        "name": f"{workload.service.name}-{name}",
        "namespace": workload.namespace,
        "labels": workload.shared_labels,
        "annotations": workload.fence,
    }
    spec = {
        **slots["spec"],
        "podSelector": {"matchLabels": {label: workload.service.name}},
        "ingress": [],
    }
    return {**slots, "metadata": metadata, "spec": spec}
