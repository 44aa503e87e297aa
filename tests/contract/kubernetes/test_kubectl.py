"""The fake API server as kubectl sees it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from candlefish.adapters.kubernetes.cluster import connect_cluster
from candlefish.release.manifests import render
from lab.kube import FakeCluster
from tests.support.kubernetes.samples import workload
from tests.support.waiting import PATIENCE

pytestmark = [
    pytest.mark.lab,
    pytest.mark.enable_socket,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed"),
]
Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("kubectl")
    fake = FakeCluster(namespaces=("lab",), time_scale=0.0)
    fake.start()
    config = fake.kubeconfig(folder / "kubeconfig", namespace="lab")
    environment = {**os.environ, "KUBECONFIG": str(config), "HOME": str(folder)}

    def run(*arguments: str, given: str = "") -> str:
        done = subprocess.run(
            ["kubectl", *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=environment,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    cluster = connect_cluster(fake.endpoint, fake.ca_pem, lambda *, fresh=False: fake.admin_token)
    cluster.apply(render(workload("lab")), generation=1)
    run("rollout", "status", "deployment/api-blue", "--timeout=300s")
    yield run
    fake.stop()


def other(folder: Path, image: str) -> str:
    """A Deployment of somebody else's, in a file."""
    path = folder / "other.json"
    template = {
        "metadata": {"labels": {"app": "other"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "other"},
        "spec": {"selector": {"matchLabels": {"app": "other"}}, "template": template},
    }
    path.write_text(json.dumps(body))
    return str(path)


def test_get_prints_what_a_release_made(kubectl: Kubectl) -> None:
    text = kubectl("get", "deploy,hpa,pdb,targetgroupbindings")
    for words in (
        "deployment.apps/api-blue",
        "horizontalpodautoscaler.autoscaling/api-blue",
        "Deployment/api-blue",
        "poddisruptionbudget.policy/api-blue",
        "targetgroupbinding.elbv2.k8s.aws/api-blue",
    ):
        assert words in text
    assert "1/1" in kubectl("get", "pods", "-l", "candlefish.ai/slot=blue")
    assert "pod/api-blue-" in kubectl("get", "all")


def test_apply_server_side_rollout_scale_and_delete(kubectl: Kubectl, tmp_path: Path) -> None:
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", other(tmp_path, "image:1"))
    kubectl("scale", "deployment/other", "--replicas=3")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/other", "--timeout=300s")
    kubectl("set", "image", "deployment/other", "c=image:2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/other", "--timeout=300s")
    spec = json.loads(kubectl("get", "deployment", "other", "-o", "json"))["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (3, "image:2")
    assert "condition met" in kubectl(
        "wait", "deployment/other", "--for=condition=Available", "--timeout=300s"
    )
    kubectl("delete", "deployment", "other")
    assert "other" not in kubectl("get", "deployments", "-o", "name")


def test_client_side_apply_describe_label_and_patch(kubectl: Kubectl, tmp_path: Path) -> None:
    path = other(tmp_path, "image:1")
    assert "created" in kubectl("apply", "-f", path)
    assert "unchanged" in kubectl("apply", "-f", path)
    kubectl("label", "deployment", "other", "team=a")
    kubectl("patch", "deployment", "other", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    text = kubectl("describe", "deployment", "other")
    assert "team=a" in text
    assert "2 desired" in text
    kubectl("delete", "-f", path)


def test_access_can_be_asked_for(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "deployments").strip() == "yes"
    assert "lab" in kubectl("get", "namespaces", "-o", "name")
