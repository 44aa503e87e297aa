"""CronJobs of a version: from the catalog's words and from a chart, hardened like the slot's Pods, one a service."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from candlefish.catalog.model import Cron, Duration, Resources
from candlefish.errors import InvalidInput
from candlefish.release.manifests import Workload, cron_objects, from_bundle, other_images, render
from candlefish.release.manifests.model import CRON_LABEL, CRON_NOTE, SERVICE_LABEL
from candlefish.release.model import Manifest
from lab.kube.pod_security import violations
from lab.kube.schema import check
from tests.support.manifests import PINNED_ELSEWHERE, REPOSITORY, service, workload

REPORT = Cron(
    name="report",
    schedule="30 3 * * *",
    timezone="Europe/Berlin",
    command=("python",),
    args=("-m", "app.report", "$DAY"),
    env={"MODE": "report"},
    within=Duration(90),
    resources=Resources(cpu="50m", memory="64Mi", cpu_limit="100m", memory_limit="96Mi"),
)


def reporting(**changes: Any) -> Workload:
    return workload(service=service(cron=(REPORT,)), **changes)


def of_catalog(of: Workload) -> dict[str, Manifest]:
    return by_name(cron_objects(render(of), of))


def by_name(objects: tuple[Manifest, ...]) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in objects}


def pod_of(cron_job: Manifest) -> Any:
    return cron_job["spec"]["jobTemplate"]["spec"]["template"]


def sound(cron_job: Manifest) -> None:
    """An API server takes it, and Pod Security `restricted` its Pods."""
    assert check(cron_job, "V1CronJob") == ([], [])
    assert violations("restricted", pod_of(cron_job)["metadata"], pod_of(cron_job)["spec"]) == []


def test_it_is_the_slots_pod_with_other_words_and_an_end() -> None:
    made = of_catalog(reporting())
    assert sorted(made) == ["backend-api-cron", "backend-api-report"]
    cron_job = made["backend-api-report"]
    sound(cron_job)
    job = cron_job["spec"]["jobTemplate"]["spec"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 90)
    pod = job["template"]["spec"]
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("Never", "backend-api")
    (container,) = pod["containers"]
    assert (container["command"], container["args"]) == (["python"], ["-m", "app.report", "$$DAY"])
    assert container["resources"]["limits"] == {"cpu": "100m", "memory": "96Mi"}
    assert {"name": "MODE", "value": "report"} in container["env"]
    assert not {"ports", "readinessProbe", "livenessProbe", "startupProbe", "lifecycle"} & container.keys()
    spec = cron_job["spec"]
    assert (spec["timeZone"], spec["concurrencyPolicy"], "suspend" in spec) == (
        "Europe/Berlin",
        "Forbid",
        False,
    )


def test_nothing_of_the_slot_selects_its_pods_and_it_is_called_alike_in_both() -> None:
    blue, green = (of_catalog(reporting(slot=slot)) for slot in ("blue", "green"))
    assert blue.keys() == green.keys()
    labels = pod_of(blue["backend-api-report"])["metadata"]["labels"]
    assert (labels[CRON_LABEL], SERVICE_LABEL in labels) == ("backend-api", False)
    policy = blue["backend-api-cron"]["spec"]
    assert (policy["podSelector"], policy["ingress"]) == ({"matchLabels": {CRON_LABEL: "backend-api"}}, [])
    assert policy["egress"]


def test_the_deployment_says_which_there_are_and_a_service_without_says_nothing() -> None:
    deployment = next(each for each in render(reporting()) if each["kind"] == "Deployment")
    assert deployment["metadata"]["annotations"][CRON_NOTE] == "backend-api-report"
    assert CRON_NOTE not in deployment["spec"]["template"]["metadata"]["annotations"], (
        "no Pod is replaced for it"
    )
    plain = workload()
    assert cron_objects(render(plain), plain) == ()
    assert CRON_NOTE not in str(render(plain))


def chart() -> list[Manifest]:
    """A Deployment and what runs by the clock beside it, as a chart has them."""
    container = {
        "name": "app",
        "image": f"{REPOSITORY}:1",
        "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
    }
    settings = {"name": "settings", "configMap": {"name": "backend-api-settings"}}
    pod = {"containers": [container], "volumes": [settings]}
    cron = {
        "schedule": "0 4 * * *",
        "concurrencyPolicy": "Allow",
        "jobTemplate": {
            "spec": {
                "backoffLimit": 2,
                "template": {
                    "spec": {
                        "restartPolicy": "OnFailure",
                        "containers": [{**container, "args": ["nightly"]}],
                        "volumes": [settings],
                    }
                },
            }
        },
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "backend-api-settings"},
            "data": {"a": "b"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "backend-api"},
            "spec": {"template": {"spec": pod}},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "backend-api-nightly"},
            "spec": cron,
        },
    ]


def of_chart(bundle: list[Manifest], of: Workload) -> dict[str, Manifest]:
    return by_name(cron_objects(from_bundle(copy.deepcopy(bundle), of), of, bundle))


def test_a_charts_is_taken_with_the_releases_image_and_the_slots_settings() -> None:
    of = reporting()
    made = of_chart(chart(), of)
    assert sorted(made) == ["backend-api-cron", "backend-api-nightly", "backend-api-report"]
    nightly = made["backend-api-nightly"]
    sound(nightly)
    pod = pod_of(nightly)["spec"]
    assert (pod["restartPolicy"], pod["containers"][0]["image"]) == ("OnFailure", of.image)
    assert pod["containers"][0]["args"] == ["nightly"]
    assert pod["volumes"][0]["configMap"]["name"] == "backend-api-settings-blue"
    assert nightly["spec"]["concurrencyPolicy"] == "Forbid"
    assert nightly["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 2
    assert not {"readinessProbe", "lifecycle"} & pod["containers"][0].keys()
    deployment = next(each for each in from_bundle(chart(), of) if each["kind"] == "Deployment")
    assert deployment["metadata"]["annotations"][CRON_NOTE] == "backend-api-nightly,backend-api-report"


def _pod(bundle: list[Manifest]) -> Any:
    return pod_of(bundle[2])["spec"]


REFUSED: dict[str, tuple[Callable[[list[Manifest]], object], str]] = {
    "another service's name": (
        lambda b: b[2]["metadata"].update(name="website-report"),
        "call it backend-api",
    ),
    "a name too long": (lambda b: b[2]["metadata"].update(name="backend-api-" + "x" * 41), "at most 52"),
    "the catalog's name": (lambda b: b[2]["metadata"].update(name="backend-api-report"), "keep one"),
    "no schedule": (lambda b: b[2]["spec"].update(schedule="soon"), "five fields"),
    "one that is suspended": (lambda b: b[2]["spec"].update(suspend=True), "leave a CronJob out"),
    "several Pods at once": (
        lambda b: b[2]["spec"]["jobTemplate"]["spec"].update(parallelism=3),
        r"spec\.jobTemplate\.spec\.parallelism.*one Pod a run",
    ),
    "the node's files": (
        lambda b: _pod(b)["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
        "reaches the node",
    ),
    "another image": (
        lambda b: _pod(b)["containers"][0].update(image=PINNED_ELSEWHERE),
        r"spec\.jobTemplate\.spec\.template\.spec\.containers has 0 containers",
    ),
    "a Pod that never ends": (lambda b: _pod(b).update(restartPolicy="Always"), "restartPolicy"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_said_with_its_place(name: str) -> None:
    change, words = REFUSED[name]
    bundle = chart()
    change(bundle)
    with pytest.raises(InvalidInput, match=f"(?s)CronJob.*{words}"):
        of_chart(bundle, reporting())


def test_an_image_that_it_runs_beside_is_asked_about_at_the_gate() -> None:
    bundle, of = chart(), workload()
    limits = {"limits": {"cpu": "1", "memory": "64Mi"}}
    _pod(bundle)["containers"].append({"name": "proxy", "image": PINNED_ELSEWHERE, "resources": limits})
    objects = from_bundle(copy.deepcopy(bundle), of)
    made = (*objects, *cron_objects(objects, of, bundle))
    assert other_images(made, of.image) == (PINNED_ELSEWHERE,)
