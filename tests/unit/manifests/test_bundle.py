"""A slot's objects from what `helm template` wrote."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.errors import InvalidInput
from candlefish.release.manifests import Workload, from_bundle, render
from candlefish.release.model import Manifest
from lab.kube.defaults import with_defaults
from lab.kube.kinds import KINDS
from lab.kube.schema import check
from lab.kube.validation import validate
from tests.support.manifests import PINNED_ELSEWHERE, REPOSITORY, workload, workloads
from tests.support.reach import beyond


def chart() -> list[Manifest]:
    """What a usual chart renders to."""
    labels = {"app.kubernetes.io/name": "backend-api", "app.kubernetes.io/managed-by": "Helm"}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "backend-api", "labels": labels},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "backend-api-settings", "namespace": "example-prod"},
            "data": {"LOG_LEVEL": "info"},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "backend-api", "labels": labels},
            "spec": {
                "type": "ClusterIP",
                "selector": {"app.kubernetes.io/name": "backend-api"},
                "ports": [
                    {"name": "metrics", "port": 9090},
                    {"name": "web", "port": 80, "targetPort": "web"},
                ],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "rel-backend-api", "labels": labels},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app.kubernetes.io/name": "backend-api"}},
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": labels, "annotations": {"checksum/config": "1"}},
                    "spec": {
                        "serviceAccountName": "backend-api",
                        "securityContext": None,
                        "volumes": [
                            {"name": "settings", "configMap": {"name": "backend-api-settings"}},
                            {
                                "name": "all",
                                "projected": {
                                    "sources": [
                                        {"configMap": {"name": "backend-api-settings"}},
                                        {"secret": {"name": "backend-api-tls"}},
                                    ]
                                },
                            },
                        ],
                        "containers": [
                            {
                                "name": "web",
                                "image": f"{REPOSITORY}:latest",
                                "resources": None,
                                "ports": [{"name": "web", "containerPort": 8000}],
                                "envFrom": [{"configMapRef": {"name": "backend-api-settings"}}],
                                "env": [
                                    {
                                        "name": "LEVEL",
                                        "valueFrom": {
                                            "configMapKeyRef": {
                                                "name": "backend-api-settings",
                                                "key": "LOG_LEVEL",
                                            }
                                        },
                                    }
                                ],
                            },
                            {
                                "name": "proxy",
                                "image": PINNED_ELSEWHERE,
                                "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
                            },
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "rel-backend-api"},
            "spec": {
                "minReplicas": 1,
                "maxReplicas": 2,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rel-backend-api"},
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "memory",
                            "target": {"type": "Utilization", "averageUtilization": 80},
                        },
                    }
                ],
            },
        },
    ]


def by_kind(objects: tuple[Manifest, ...]) -> dict[str, Manifest]:
    return {each["kind"]: each for each in objects}


def deployment_of(bundle: list[Manifest]) -> Any:
    return next(each for each in bundle if each["kind"] == "Deployment")


def pod_of(bundle: list[Manifest]) -> Any:
    return deployment_of(bundle)["spec"]["template"]["spec"]


def test_the_slot_is_applied_to_everything_that_belongs_to_a_version() -> None:
    made = by_kind(from_bundle(chart(), workload()))
    named = {kind: each["metadata"]["name"] for kind, each in made.items()}
    assert named == {
        "ServiceAccount": "backend-api",
        "ConfigMap": "backend-api-settings-blue",
        "NetworkPolicy": "backend-api-blue",
        "Service": "backend-api-blue",
        "TargetGroupBinding": "backend-api-blue",
        "PodDisruptionBudget": "backend-api-blue",
        "Deployment": "backend-api-blue",
        "HorizontalPodAutoscaler": "backend-api-blue",
    }
    slot = {"candlefish.ai/service": "backend-api", "candlefish.ai/slot": "blue"}
    spec = made["Deployment"]["spec"]
    assert spec["selector"] == {"matchLabels": slot}
    assert slot.items() <= spec["template"]["metadata"]["labels"].items()
    assert made["Service"]["spec"]["selector"] == slot
    assert made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "backend-api-blue"
    assert made["TargetGroupBinding"]["spec"]["serviceRef"] == {"name": "backend-api-blue", "port": 80}


def test_the_release_says_image_range_and_update_and_the_chart_the_rest() -> None:
    slot = workload()
    made = by_kind(from_bundle(chart(), slot))
    spec = made["Deployment"]["spec"]
    web, proxy = spec["template"]["spec"]["containers"]
    assert (web["image"], proxy["image"]) == (slot.image, PINNED_ELSEWHERE)
    assert "replicas" not in spec
    assert spec["strategy"]["type"] == "RollingUpdate"
    assert spec["template"]["metadata"]["annotations"]["checksum/config"] == "1"
    autoscaler = made["HorizontalPodAutoscaler"]["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (5, 25)
    assert autoscaler["metrics"][0]["resource"]["name"] == "memory"


def test_every_object_of_a_bundle_says_which_generation_writes_it_and_no_pod_does() -> None:
    bundle = chart()
    deployment = next(each for each in bundle if each["kind"] == "Deployment")
    deployment["metadata"]["annotations"] = {"team": "web"}
    made = by_kind(from_bundle(bundle, workload(generation=7)))
    notes = made["Deployment"]["metadata"]["annotations"]
    assert (notes["candlefish.ai/generation"], notes["team"]) == ("7", "web")
    assert "candlefish.ai/generation" not in made["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert {each["metadata"]["annotations"]["candlefish.ai/generation"] for each in made.values()} == {"7"}


def test_every_reference_to_one_of_its_configmaps_follows_it_into_the_slot() -> None:
    pod = by_kind(from_bundle(chart(), workload()))["Deployment"]["spec"]["template"]["spec"]
    text = json.dumps(pod)
    assert text.count('"backend-api-settings-blue"') == 4
    assert '"name": "backend-api-tls"' in text
    # The volume's own name is no reference.
    assert pod["volumes"][0]["name"] == "settings"


def test_what_the_chart_leaves_out_is_filled_in() -> None:
    pod = by_kind(from_bundle(chart(), workload()))["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    web = pod["containers"][0]
    assert web["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert web["readinessProbe"]["httpGet"] == {"path": "/health", "port": 8000}
    assert web["lifecycle"]["preStop"] == {"sleep": {"seconds": 30}}
    assert pod["terminationGracePeriodSeconds"] == 60


def test_what_the_chart_sets_stands() -> None:
    bundle = chart()
    pod = pod_of(bundle)
    pod["securityContext"] = {"runAsUser": 777, "runAsNonRoot": True}
    pod["terminationGracePeriodSeconds"] = 300
    pod["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8000}}
    made = by_kind(from_bundle(bundle, workload()))["Deployment"]["spec"]["template"]["spec"]
    assert made["securityContext"]["runAsUser"] == 777
    assert made["terminationGracePeriodSeconds"] == 300
    assert made["containers"][0]["readinessProbe"] == {"tcpSocket": {"port": 8000}}
    assert "livenessProbe" not in made["containers"][0]


def test_a_bundle_is_not_changed_by_reading_it() -> None:
    bundle = chart()
    before = copy.deepcopy(bundle)
    from_bundle(bundle, workload())
    assert bundle == before


def test_kubernetes_takes_what_is_made_of_a_chart() -> None:
    kinds = {(kind.api_version, kind.kind): kind for kind in KINDS}
    for manifest in from_bundle(chart(), workload()):
        kind = kinds[manifest["apiVersion"], manifest["kind"]]
        assert check(manifest, kind.model) == ([], [])
        validate(kind, with_defaults(manifest), None)


def test_two_slots_share_nothing_but_the_account() -> None:
    blue = from_bundle(chart(), workload())
    green = from_bundle(chart(), workload(slot="green", version="2", release="release-2"))
    both = {(each["kind"], each["metadata"]["name"]) for each in blue} & {
        (each["kind"], each["metadata"]["name"]) for each in green
    }
    assert both == {("ServiceAccount", "backend-api")}
    assert blue[0] == green[0]


@given(workloads())
def test_a_bundle_of_what_the_catalog_renders_is_what_the_catalog_renders(made: Workload) -> None:
    deployment = next(each for each in render(made) if each["kind"] == "Deployment")
    assert from_bundle([_as_a_chart(deployment)], made) == render(made)


def _as_a_chart(node: Any) -> Any:
    """Without what only the control plane writes."""
    if isinstance(node, dict):
        return {k: _as_a_chart(v) for k, v in node.items() if not k.startswith("candlefish.ai/")}
    return [_as_a_chart(each) for each in node] if isinstance(node, list) else node


def _deployment(change: Callable[[Any], object]) -> Callable[[list[Manifest]], object]:
    return lambda bundle: change(pod_of(bundle))


def _first(**fields: Any) -> Callable[[list[Manifest]], object]:
    return lambda bundle: pod_of(bundle)["containers"][0].update(fields)


def _more(kind: str, api: str = "v1", **fields: Any) -> Callable[[list[Manifest]], object]:
    document = {"apiVersion": api, "kind": kind, "metadata": {"name": "extra"}, **fields}
    return lambda bundle: bundle.append(document)


def _two_services(bundle: list[Manifest]) -> None:
    bundle[2]["metadata"]["name"] = "a"
    bundle.append({**bundle[2], "metadata": {"name": "b"}})


REFUSED: dict[str, tuple[Callable[[list[Manifest]], object], str]] = {
    "a cluster role": (
        _more("ClusterRole", "rbac.authorization.k8s.io/v1"),
        "ClusterRole extra.*cluster tooling",
    ),
    "a namespace": (_more("Namespace"), "Namespace extra.*not allowed"),
    "a resource definition": (_more("CustomResourceDefinition", "apiextensions.k8s.io/v1"), "not allowed"),
    "a webhook": (_more("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"), "not allowed"),
    "a secret": (_more("Secret"), "Secrets Manager"),
    "an ingress": (_more("Ingress", "networking.k8s.io/v1"), "listener rule"),
    "a stateful set": (_more("StatefulSet", "apps/v1"), "two slots"),
    "a job of nothing": (_more("Job", "batch/v1"), "has no spec"),
    "a cron job of nothing": (_more("CronJob", "batch/v1"), "has no spec"),
    "a role": (_more("Role", "rbac.authorization.k8s.io/v1"), "grants rights"),
    "an old autoscaler": (_more("HorizontalPodAutoscaler", "autoscaling/v2beta2"), "write autoscaling/v2"),
    "a second deployment": (
        lambda bundle: bundle.append(deployment_of(chart())),
        "exactly one Deployment.*worker",
    ),
    "no deployment": (lambda bundle: bundle.remove(deployment_of(bundle)), "exactly one Deployment.*none"),
    "another namespace": (
        lambda bundle: bundle[1]["metadata"].update(namespace="kube-system"),
        "namespace is 'kube-system'.*helm template --namespace example-prod",
    ),
    "a helm hook": (
        lambda bundle: bundle[1]["metadata"].update(annotations={"helm.sh/hook": "pre-install"}),
        "--no-hooks",
    ),
    "a generated name": (lambda bundle: bundle[1]["metadata"].update(generateName="x-"), "generateName"),
    "no name": (lambda bundle: bundle[1].update(metadata={}), "not a Kubernetes object"),
    "the host's network": (_deployment(lambda pod: pod.update(hostNetwork=True)), "hostNetwork"),
    "a host path": (
        _deployment(lambda pod: pod.update(volumes=[{"name": "h", "hostPath": {"path": "/"}}])),
        "hostPath is not allowed.*use emptyDir",
    ),
    "root": (_deployment(lambda pod: pod.update(securityContext={"runAsUser": 0})), "0 is root"),
    "root by its container": (_first(securityContext={"runAsNonRoot": False}), "runAsNonRoot is false"),
    "privilege": (_first(securityContext={"privileged": True}), "privileged"),
    "escalation": (_first(securityContext={"allowPrivilegeEscalation": True}), "write false"),
    "capabilities": (_first(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}), "NET_ADMIN"),
    "a tag beside it": (
        _deployment(lambda pod: pod["containers"][1].update(image="proxy:2")),
        r"containers\[1\].image is 'proxy:2'.*digest",
    ),
    "a sidecar without limits": (
        _deployment(lambda pod: pod["containers"][1].update(resources={})),
        "container proxy has no limit for cpu and memory",
    ),
    "an init container by tag": (
        _deployment(lambda pod: pod.update(initContainers=[{"name": "wait", "image": "busybox"}])),
        r"initContainers\[0\].image is 'busybox'.*digest",
    ),
    "another service's image": (_first(image="ghcr.io/example-org/website:1"), "has 0 containers from"),
    "no containers": (_deployment(lambda pod: pod.update(containers=[])), "no containers"),
    "a load balancer": (lambda bundle: bundle[2]["spec"].update(type="LoadBalancer"), "write ClusterIP"),
    "a service for other pods": (
        lambda bundle: bundle[2]["spec"].update(selector={"app": "worker"}),
        "does not select",
    ),
    "a port that leads nowhere": (
        lambda bundle: bundle[2]["spec"].update(ports=[{"port": 1}]),
        "leads to 8000",
    ),
    "two services of unclear rank": (
        _two_services,
        "Services a, b: none is called backend-api",
    ),
    "a field of the wrong shape": (
        lambda bundle: bundle[3].update(spec="text"),
        "spec is 'text'; it must be an object",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bundle_is_refused_for(case: str) -> None:
    change, why = REFUSED[case]
    bundle = chart()
    change(bundle)
    with pytest.raises(InvalidInput, match=why):
        from_bundle(bundle, workload())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_damage_to_a_bundle_is_refused_or_harmless(data: st.DataObject) -> None:
    bundle = chart()
    node: Any = bundle
    while isinstance(node, (list, dict)) and node:
        keys = range(len(node)) if isinstance(node, list) else sorted(node)
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(node[key], (list, dict)) or not node[key]:
            node[key] = data.draw(json_values)
            break
        node = node[key]
    try:
        made = from_bundle(bundle, workload())
    except InvalidInput:
        return
    assert beyond(made, workload()) == []
