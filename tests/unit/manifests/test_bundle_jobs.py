"""Jobs and hooks of a chart: when a release runs each, and the Pod that it runs."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from candlefish.errors import InvalidInput
from candlefish.release.manifests import bundled_jobs, from_bundle, job_objects, other_images
from candlefish.release.model import Manifest
from lab.kube.defaults import with_defaults
from lab.kube.kinds import JOB
from lab.kube.schema import check
from lab.kube.validation import validate
from tests.support.manifests import PINNED_ELSEWHERE, REPOSITORY, service, workload

BOTH = "pre-install,pre-upgrade"


def hook(name: str, events: str = BOTH, weight: str = "", **spec: Any) -> Manifest:
    """A Job as charts bring it; without events it is no hook."""
    notes = {"helm.sh/hook": events} if events else {}
    notes |= {"helm.sh/hook-weight": weight} if weight else {}
    container = {
        "name": "migrate",
        "image": f"{REPOSITORY}:1.4",
        "command": ["python", "-m", "app.migrate"],
        "env": [{"name": "LOG_LEVEL", "value": "trace"}, {"name": "MODE", "value": "migrate"}],
        "envFrom": [{"configMapRef": {"name": "backend-api-settings"}}],
    }
    pod = {"restartPolicy": "OnFailure", "containers": [container]}
    template = {"metadata": {"labels": {"app": "backend-api"}}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": notes},
        "spec": {"backoffLimit": 4, "template": template, **spec},
    }


def chart(*jobs: Manifest) -> list[Manifest]:
    labels = {"app": "backend-api"}
    container = {"name": "api", "image": f"{REPOSITORY}:1.4"}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "backend-api-settings"},
            "data": {"TO": "head"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "backend-api"},
            "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
        },
        *copy.deepcopy(jobs),
    ]


def container_of(job: Manifest) -> Manifest:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


@pytest.mark.parametrize(
    ("events", "first", "later"),
    [
        ("", "before", "before"),
        (BOTH, "before", "before"),
        ("post-install,post-upgrade", "after", "after"),
        ("post-install, pre-upgrade", "after", "before"),
        ("pre-install", "before", None),
        ("post-upgrade,post-rollback", None, "after"),
    ],
)
def test_helms_install_is_the_first_release_and_its_upgrade_every_other(
    events: str, first: str | None, later: str | None
) -> None:
    (job,) = bundled_jobs(chart(hook("backend-api-migrate", events)), workload())
    assert (job.when(first=True), job.when(first=False)) == (first, later)
    assert (job.name, job.chart) == ("migrate", "backend-api-migrate")


def test_the_lightest_comes_first_and_names_decide_between_equals() -> None:
    jobs = [hook("backend-api-c"), hook("backend-api-b", weight="10"), hook("backend-api-a", weight="-5")]
    jobs += [hook("backend-api-d", events="")]
    assert [job.name for job in bundled_jobs(chart(*jobs), workload())] == ["a", "c", "d", "b"]


def made(*jobs: Manifest) -> tuple[tuple[Manifest, ...], Manifest]:
    about = workload(service=service(env={"LOG_LEVEL": "info"}))
    (job,) = bundled_jobs(chart(*jobs), about)
    return job_objects(from_bundle(chart(*jobs), about), about, job, name="backend-api-migrate-1")


def test_its_pod_is_the_charts_own_from_the_releases_image() -> None:
    around, job = made(hook("backend-api-migrate", activeDeadlineSeconds=90))
    about, container, pod = workload(), container_of(job), job["spec"]["template"]["spec"]
    assert (container["image"], container["command"]) == (about.image, ["python", "-m", "app.migrate"])
    values = {each["name"]: each.get("value") for each in container["env"]}
    assert (values["LOG_LEVEL"], values["MODE"]) == ("info", "migrate"), "the catalog's variables win"
    assert container["envFrom"] == [{"configMapRef": {"name": f"backend-api-settings-{about.slot}-jobs"}}]
    assert "backend-api-settings-blue-jobs" in {each["metadata"]["name"] for each in around}
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("Never", "backend-api")
    assert container["securityContext"]["readOnlyRootFilesystem"] and container["resources"]["limits"]
    assert job["spec"]["template"]["metadata"]["labels"].keys().isdisjoint({"app", *about.selector})
    once = {key: job["spec"][key] for key in ("suspend", "backoffLimit", "activeDeadlineSeconds")}
    assert once == {"suspend": True, "backoffLimit": 0, "activeDeadlineSeconds": 90}
    assert check(job, JOB.model) == ([], [])
    validate(JOB, with_defaults(job), None)


def test_another_image_comes_by_digest_and_goes_through_the_gates() -> None:
    other = hook("backend-api-migrate")
    container_of(other)["image"] = PINNED_ELSEWHERE
    container_of(other)["resources"] = {"limits": {"cpu": "1", "memory": "64Mi"}}
    (job,) = bundled_jobs(chart(other), workload())
    assert other_images((), workload().image, [job.pod]) == (PINNED_ELSEWHERE,)
    assert job.pod["containers"][0]["env"] == container_of(other)["env"], "the catalog's are the service's"
    container_of(other)["image"] = f"{PINNED_ELSEWHERE.partition('@')[0]}:12"
    with pytest.raises(InvalidInput, match=r"Job backend-api-migrate.*can change; pin it by digest"):
        bundled_jobs(chart(other), workload())


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (hook("backend-api-migrate", "pre-upgrade,post-upgrade"), "a release runs a Job once; make two Jobs"),
        (hook("backend-api-migrate", "test"), "is a test of the chart"),
        (hook("backend-api-migrate", "post-rollback"), "a rollback here runs no Job"),
        (hook("backend-api-migrate", "crd-install"), "crd-install, which Helm does not know"),
        (hook("backend-api-migrate", parallelism=2), "parallelism is 2"),
        (hook("backend-api-migrate", activeDeadlineSeconds=86400), "from 1 to 21600"),
        (hook("storefront-migrate"), "another service's"),
    ],
)
def test_what_no_release_can_run_once_is_refused(job: Manifest, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        bundled_jobs(chart(job), workload(services=("storefront",)))


def test_two_jobs_that_would_be_one_step_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"it would be step v1-2, as Job backend-api-v1-2 is"):
        bundled_jobs(chart(hook("backend-api-v1-2"), hook("backend-api-v1.2")), workload())


def test_a_hook_that_is_no_job_is_refused_with_what_to_do() -> None:
    bundle = chart(hook("backend-api-migrate"))
    bundle[0]["metadata"]["annotations"] = {"helm.sh/hook": "pre-install"}
    with pytest.raises(InvalidInput, match=r"ConfigMap backend-api-settings.*runs Jobs alone"):
        from_bundle(bundle, workload())
