"""Applying a slot's objects."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.adapters.kubernetes.cluster import KubernetesCluster, connect_cluster
from candlefish.errors import ClusterRefused, Retryable
from candlefish.release.manifests import MANAGER, Workload, from_bundle, render
from tests.support.kubernetes.rest import MERGE, STRATEGIC
from tests.support.kubernetes.samples import environment, service, workload
from tests.support.kubernetes.servers import World, eks_tokens, until

pytestmark = pytest.mark.enable_socket

EVERYTHING = {
    "serviceaccounts": "api",
    "networkpolicies": "api-blue",
    "services": "api-blue",
    "targetgroupbindings": "api-blue",
    "poddisruptionbudgets": "api-blue",
    "deployments": "api-blue",
    "horizontalpodautoscalers": "api-blue",
}


def versions(world: World) -> dict[str, str]:
    """What tells whether anything was written: the specs' generations, or versions where there is none."""
    found = {kind: world.get(kind, name)["metadata"] for kind, name in EVERYTHING.items()}
    return {kind: str(each.get("generation", each["resourceVersion"])) for kind, each in found.items()}


def set_image_as_somebody_else(world: World, image: str) -> None:
    """What `kubectl set image` does."""
    containers = [{"name": "api", "image": image}]
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/api-blue?fieldManager=kubectl-set"
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    world.admin.must("PATCH", path, body, STRATEGIC)


def image_of(world: World) -> str:
    return str(world.get("deployments", "api-blue")["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_slot_and_everything_around_it_is_made(world: World) -> None:
    world.apply(render(workload(world.namespace)))
    made = {kind: world.get(kind, name) for kind, name in EVERYTHING.items()}
    assert all(made.values()), made
    managers = {each["manager"] for each in made["deployments"]["metadata"]["managedFields"]}
    assert MANAGER in managers
    account = made["serviceaccounts"]["metadata"]["annotations"]
    assert account["eks.amazonaws.com/role-arn"] == "arn:aws:iam::123456789012:role/api"
    pod = made["deployments"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert made["targetgroupbindings"]["spec"]["serviceRef"] == {"name": "api-blue", "port": 8000}


def test_applying_the_same_again_writes_nothing(world: World) -> None:
    objects = render(workload(world.namespace))
    world.apply(objects)
    # The autoscaler comes in its own time.
    until(lambda: world.cluster.current_replicas(world.namespace, "api-blue"), lambda count: count == 2)
    until(lambda: world.cluster.rollout(world.namespace, "api-blue"), lambda seen: seen.status == "ready")
    before = versions(world)
    world.apply(objects)
    after = versions(world)
    # Status writes move these two's resourceVersion; their specs have generations elsewhere.
    for kind in ("horizontalpodautoscalers", "serviceaccounts"):
        before.pop(kind), after.pop(kind)
    assert after == before


def test_applying_leaves_the_number_of_pods_to_whoever_scaled(world: World) -> None:
    objects = render(workload(world.namespace))
    world.apply(objects)
    world.scale("api-blue", 3)
    world.apply(objects)
    assert world.cluster.current_replicas(world.namespace, "api-blue") == 3


def test_a_field_that_somebody_else_changed_is_a_refusal_that_names_them(world: World) -> None:
    objects = render(workload(world.namespace))
    world.apply(objects)
    set_image_as_somebody_else(world, "registry.example/api:hotfix")
    with pytest.raises(ClusterRefused, match=r"Deployment api-blue .*kubectl-set owns .*image.*force"):
        world.apply(objects)
    assert image_of(world) == "registry.example/api:hotfix"


def test_force_takes_the_field_over(world: World) -> None:
    slot = workload(world.namespace)
    world.apply(render(slot))
    set_image_as_somebody_else(world, "registry.example/api:hotfix")
    world.apply(render(slot), force=True)
    assert image_of(world) == slot.image
    world.apply(render(slot))


def test_bounds_that_we_moved_ourselves_are_no_conflict(world: World) -> None:
    objects = render(workload(world.namespace))
    world.apply(objects)
    world.cluster.set_bounds(world.namespace, "api-blue", minimum=3, maximum=9, generation=1)
    world.apply(objects)
    spec = world.get("horizontalpodautoscalers", "api-blue")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)


def test_a_refused_object_leaves_the_cluster_as_it_was(world: World) -> None:
    *rest, autoscaler = render(workload(world.namespace))
    broken = {**autoscaler, "spec": {**autoscaler["spec"], "minReplicas": 9}}
    with pytest.raises(ClusterRefused, match=r"HorizontalPodAutoscaler api-blue .*422.*maxReplicas"):
        world.apply((*rest, broken))
    assert {kind: world.get(kind, name) for kind, name in EVERYTHING.items()} == dict.fromkeys(EVERYTHING)


def test_a_field_that_is_not_applied_any_more_goes_away(world: World) -> None:
    def with_env(**env: str) -> Workload:
        return workload(world.namespace, service=service(env=env))

    world.apply(render(with_env(KEPT="1", DROPPED="2")))
    world.apply(render(with_env(KEPT="1")))
    container = world.get("deployments", "api-blue")["spec"]["template"]["spec"]["containers"][0]
    names = {each["name"] for each in container["env"]}
    assert "KEPT" in names
    assert "DROPPED" not in names


def test_a_field_of_somebody_else_survives(world: World) -> None:
    objects = render(workload(world.namespace))
    world.apply(objects)
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/api-blue?fieldManager=kubectl-annotate"
    world.admin.must("PATCH", path, {"metadata": {"annotations": {"example.org/note": "mine"}}}, MERGE)
    world.apply(objects)
    assert world.get("deployments", "api-blue")["metadata"]["annotations"]["example.org/note"] == "mine"


def test_an_unknown_field_is_refused(world: World) -> None:
    objects = list(render(workload(world.namespace)))
    account = {**objects[0], "spleling": True}
    # An old server answers 500 to it, which is an error as well, and also changes nothing.
    with pytest.raises((ClusterRefused, Retryable), match="ServiceAccount api"):
        KubernetesCluster(world.server.carrier(sleep=lambda seconds: None)).apply([account], generation=1)
    assert world.get("serviceaccounts", "api") is None


def test_a_missing_namespace_is_a_refusal_with_a_next_step(world: World) -> None:
    with pytest.raises(ClusterRefused, match=r"rbac\.yaml|namespace"):
        world.apply(render(workload("contract-nowhere")))


def test_a_namespace_without_our_role_is_a_refusal_that_names_the_role(world: World) -> None:
    with pytest.raises(ClusterRefused, match=r"403.*deploy/rbac\.yaml"):
        world.apply(render(workload("default")))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "secrets"),
        ("GET", "configmaps"),
        ("POST", "pods"),
        ("DELETE", "services/api-blue"),
        ("POST", "pods/api/exec"),
    ],
)
def test_the_role_allows_no_more_than_a_release_needs(world: World, method: str, path: str) -> None:
    status, _ = world.limited.call(
        method, f"/api/v1/namespaces/{world.namespace}/{path}", {} if method == "POST" else None
    )
    assert status == 403 or (world.server.kind != "real" and path.endswith("exec") and status == 404)


# Nobody shows the simulator a token: it knows who asks.
@pytest.mark.parametrize("server", ["fake", "real"], indirect=True)
@pytest.mark.parametrize("wrong", [{"cluster": "another-cluster"}, {"secret": "another-secret"}])
def test_a_token_that_is_not_for_this_cluster_is_refused(world: World, wrong: dict[str, str]) -> None:
    asked: list[bool] = []
    real = eks_tokens(**wrong)

    def tokens(*, fresh: bool = False) -> str:
        asked.append(fresh)
        return real(fresh=fresh)

    stranger = connect_cluster(world.server.endpoint, world.server.ca_pem, tokens)
    with pytest.raises(ClusterRefused, match=r"401.*access entry"):
        stranger.current_replicas(world.namespace, "api-blue")
    assert asked == [False, True]


@pytest.mark.parametrize("server", ["fake", "real"], indirect=True)
def test_an_old_token_is_replaced_and_the_call_goes_on(world: World) -> None:
    real = eks_tokens()

    def tokens(*, fresh: bool = False) -> str:
        return real() if fresh else "k8s-aws-v1.expired"

    cluster = connect_cluster(world.server.endpoint, world.server.ca_pem, tokens)
    assert cluster.current_replicas(world.namespace, "api-blue") == 0


def test_a_helm_bundle_comes_up_in_its_slot(world: World) -> None:
    slot = workload(world.namespace)
    bundle = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "api-settings"},
            "data": {"LOG_LEVEL": "info"},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "api"},
            "spec": {"selector": {"app": "api"}, "ports": [{"name": "web", "port": 80, "targetPort": "web"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "release-name-api"},
            "spec": {
                "replicas": 7,
                "selector": {"matchLabels": {"app": "api"}},
                "template": {
                    "metadata": {"labels": {"app": "api"}},
                    "spec": {
                        "containers": [
                            {
                                "name": "web",
                                "image": "registry.example/api:chart-default",
                                "ports": [{"name": "web", "containerPort": 8000}],
                                "envFrom": [{"configMapRef": {"name": "api-settings"}}],
                            }
                        ]
                    },
                },
            },
        },
    ]
    world.apply(from_bundle(bundle, slot))
    seen = until(
        lambda: world.cluster.rollout(world.namespace, "api-blue"),
        lambda seen: seen.status == "ready" and seen.desired == 2,
    )
    assert (seen.status, seen.desired) == ("ready", 2)
    container = world.pods()[0]["spec"]["containers"][0]
    assert container["image"] == slot.image
    assert container["envFrom"] == [{"configMapRef": {"name": "api-settings-blue"}}]
    assert world.get("configmaps", "api-settings-blue")["data"] == {"LOG_LEVEL": "info"}
    assert world.get("targetgroupbindings", "api-blue")["spec"]["serviceRef"]["port"] == 80


def test_both_slots_live_side_by_side(world: World) -> None:
    blue = workload(world.namespace)
    green = msgspec.structs.replace(
        blue, slot="green", release="release-2", environment=environment(world.namespace)
    )
    world.apply(render(blue))
    world.apply(render(green))
    for name in ("api-blue", "api-green"):
        seen = until(
            lambda name=name: world.cluster.rollout(world.namespace, name),  # type: ignore[misc]
            lambda seen: seen.status == "ready" and seen.desired == 2,
        )
        assert seen.status == "ready", seen
    slots = {pod["metadata"]["labels"]["candlefish.ai/slot"] for pod in world.pods()}
    assert slots == {"blue", "green"}
