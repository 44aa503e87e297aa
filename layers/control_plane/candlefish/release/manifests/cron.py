"""CronJobs beside a service: one a service and not one a slot, from the objects of the slot that is stable.

Of a bundle they are the chart's, hardened like its Deployment; of the catalog they are the slot's own Pod with other
words. None says whether it is suspended: applying leaves that to nights, and to who rests one (`release.keep_cron`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from candlefish.catalog.model import Cron
from candlefish.errors import InvalidInput
from candlefish.release.manifests.admit import admit, refuse_object
from candlefish.release.manifests.harden import harden
from candlefish.release.manifests.jobs import SERVING, alone, labels_of, pod_of, pod_once, policy_of
from candlefish.release.manifests.model import (
    BUNDLE_DIGEST_NOTE,
    CONFIGURATION_DIGEST_NOTE,
    CRON_LABEL,
    LONGEST_CRON,
    RELEASE_NOTE,
    Workload,
    cron_name,
)
from candlefish.release.manifests.reach import Reach
from candlefish.release.manifests.references import made_by, point_at_slot
from candlefish.release.model import Manifest

# How late one may begin, in seconds: what was missed for longer (a night, an outage) waits for its next time.
LATEST_START = 300
# How many ended Jobs of each CronJob stay to be looked at, and how long, in seconds.
KEPT, KEPT_FOR = 3, 7 * 86400
LONGEST_RUN = 86400
_IN_POD, _IN_JOB = "spec.template.spec", "spec.jobTemplate.spec.template.spec"


def cron_objects(
    objects: Sequence[Manifest], workload: Workload, bundle: Sequence[Manifest] = ()
) -> tuple[Manifest, ...]:
    """Every CronJob of a version with the policy that their Pods need; nothing where it has none.

    `objects` are those of its slot, `bundle` is the version's.

    Raises
    ------
    InvalidInput
        A CronJob of the bundle is not the service's, or has no end.
    """
    pod = pod_of(objects, workload)
    made = [
        *(_of_catalog(pod, workload, each) for each in workload.service.cron),
        *(
            _of_chart(each, kinds, workload)
            for kinds in _admitted(bundle, workload)
            for each in kinds["CronJob"]
        ),
    ]
    if not made:
        return ()
    names = [each["metadata"]["name"] for each in made]
    for each, name in zip(made, names, strict=True):
        if names.count(name) > 1:
            raise refuse_object(
                each, "the bundle and the catalog's `cron` both have one of that name; keep one"
            )
    return (policy_of(objects, workload, CRON_LABEL, "cron"), *made)


def _admitted(bundle: Sequence[Manifest], workload: Workload) -> list[dict[str, list[Manifest]]]:
    return [admit(bundle, workload)] if any(each.get("kind") == "CronJob" for each in bundle) else []


def _of_catalog(pod: Manifest, workload: Workload, cron: Cron) -> Manifest:
    job = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": max(1, math.ceil(cron.within)),
        "template": {"spec": pod_once(pod, workload, cron)},
    }
    spec = {"schedule": cron.schedule, "timeZone": cron.timezone, "jobTemplate": {"spec": job}}
    return _cron_job(cron_name(workload.service.name, cron.name), spec, workload)


def _of_chart(document: Manifest, kinds: Mapping[str, list[Manifest]], workload: Workload) -> Manifest:
    """A chart's CronJob in the control plane's hands: its Pods, and the slot's copies of what they name."""
    name, reach = document["metadata"]["name"], Reach(workload)
    if not reach.owns(name) or len(name) > LONGEST_CRON:
        raise refuse_object(
            document,
            f"metadata.name is not {reach.service}'s or too long; call it {reach.service} or {reach.service}-<more>, in at "
            f"most {LONGEST_CRON} characters",
        )
    spec = document["spec"]
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    pod["serviceAccountName"] = workload.account
    point_at_slot(pod, made_by(dict(kinds)), workload)
    harden(pod, workload, partial(_refuse, document))
    containers = [
        {key: value for key, value in each.items() if key not in SERVING} for each in pod["containers"]
    ]
    kept = {"initContainers": pod["initContainers"]} if "initContainers" in pod else {}
    job = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": 3600,
        **job,
        "template": {"spec": {"restartPolicy": "Never", **alone(pod), **kept, "containers": containers}},
    }
    return _cron_job(name, {"timeZone": "UTC", **spec, "jobTemplate": {"spec": job}}, workload)


def _refuse(document: Manifest, why: str) -> InvalidInput:
    return refuse_object(document, why.replace(_IN_POD, _IN_JOB))


def _cron_job(name: str, spec: Manifest, workload: Workload) -> Manifest:
    labels = labels_of(CRON_LABEL, workload)
    job = spec["jobTemplate"]["spec"]
    template = {
        "metadata": {"labels": labels, "annotations": workload.notes},
        "spec": job["template"]["spec"],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": workload.namespace,
            "labels": labels,
            "annotations": {
                **workload.notes,
                **workload.fence,
                RELEASE_NOTE: workload.release,
                BUNDLE_DIGEST_NOTE: workload.bundle_digest,
                CONFIGURATION_DIGEST_NOTE: workload.configuration_digest,
            },
        },
        "spec": {
            "successfulJobsHistoryLimit": KEPT,
            "failedJobsHistoryLimit": KEPT,
            **spec,
            # Never two of it at once, whatever a chart says: a promotion may come between.
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATEST_START,
            "jobTemplate": {
                "metadata": {"labels": labels, "annotations": workload.notes},
                "spec": {"ttlSecondsAfterFinished": KEPT_FOR, **job, "template": template},
            },
        },
    }
