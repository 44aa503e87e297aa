"""What a Job reads is its own: in a rolling release the slot's objects are those that the version before reads."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from candlefish.catalog.model import Duration, Job, Secret, SecretStore
from candlefish.release.manifests import from_bundle, job_objects, render
from candlefish.release.manifests.jobs import COPIED
from tests.support.manifests import environment, service, workload

MIGRATE = Job(name="migrate", within=Duration(600))
DATABASE = Secret(name="shop/database", env="DATABASE_URL")
BUNDLE: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "backend-api-settings"},
        "data": {"LEVEL": "info"},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "backend-api"},
        "spec": {"selector": {"app": "backend-api"}, "ports": [{"port": 80, "targetPort": 8000}]},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "backend-api"},
        "spec": {
            "selector": {"matchLabels": {"app": "backend-api"}},
            "template": {
                "metadata": {"labels": {"app": "backend-api"}},
                "spec": {
                    "volumes": [{"name": "settings", "configMap": {"name": "backend-api-settings"}}],
                    "containers": [
                        {
                            "name": "api",
                            "image": workload().image,
                            "ports": [{"containerPort": 8000}],
                            "envFrom": [{"configMapRef": {"name": "backend-api-settings"}}],
                            "volumeMounts": [
                                {"name": "settings", "mountPath": "/settings", "readOnly": True}
                            ],
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "128Mi"},
                                "limits": {"cpu": "1", "memory": "256Mi"},
                            },
                        }
                    ],
                },
            },
        },
    },
]


def names(objects: Any) -> dict[str, set[str]]:
    """What is there of each kind that is copied, by its names."""
    found: dict[str, set[str]] = {kind: set() for kind in COPIED}
    for each in objects:
        if each["kind"] in found:
            found[each["kind"]].add(each["metadata"]["name"])
    return found


def test_a_job_of_a_chart_reads_its_own_copy_of_the_settings() -> None:
    of = workload()
    slots = from_bundle(BUNDLE, of)
    before = copy.deepcopy(slots)
    around, job = job_objects(slots, of, MIGRATE, name="backend-api-migrate-1")
    assert names(slots)["ConfigMap"] == {"backend-api-settings-blue"}
    assert names(around)["ConfigMap"] == {"backend-api-settings-blue-jobs"}
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"][0]["configMap"]["name"] == "backend-api-settings-blue-jobs"
    assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": "backend-api-settings-blue-jobs"}}]
    assert slots == before, "what is deployed after it is left as it is"


@pytest.mark.parametrize("by", ["external-secrets", "csi"])
def test_a_job_has_a_secret_of_its_own(by: str) -> None:
    store = SecretStore(name="shop", kind="ClusterSecretStore") if by == "external-secrets" else None
    of = workload(
        service=service(secrets=(DATABASE,)), environment=environment(secrets_by=by, secret_store=store)
    )
    slots = render(of)
    around, job = job_objects(slots, of, MIGRATE, name="backend-api-migrate-1")
    for kind in COPIED:
        assert not names(slots)[kind] & names(around)[kind]
    (variable,) = [
        each
        for each in job["spec"]["template"]["spec"]["containers"][0]["env"]
        if each["name"] == "DATABASE_URL"
    ]
    kept = variable["valueFrom"]["secretKeyRef"]["name"]
    assert kept == "backend-api-blue-secrets-jobs"
    made = [each["spec"] for each in around if each["kind"] in ("ExternalSecret", "SecretProviderClass")]
    assert [
        spec["target"]["name"] if "target" in spec else spec["secretObjects"][0]["secretName"]
        for spec in made
    ] == [kept]
    if by == "csi":
        (volume,) = [each for each in job["spec"]["template"]["spec"]["volumes"] if "csi" in each]
        assert volume["csi"]["volumeAttributes"]["secretProviderClass"] == kept
