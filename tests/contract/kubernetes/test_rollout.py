"""How a rollout is judged, with every way in which it can go wrong."""

from __future__ import annotations

import pytest

import candlefish.adapters.kubernetes.cluster as adapter
from candlefish.catalog.model import Replicas
from candlefish.errors import ClusterRefused
from candlefish.release.manifests import render
from candlefish.release.model import Rollout
from tests.support.kubernetes.samples import service, workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket


def bring(world: World, tag: str, *, ready_within: float = 60, release: str = "") -> None:
    world.apply(
        render(workload(world.namespace, tag, ready_within=ready_within, release=release or f"release-{tag}"))
    )


def settled(world: World, status: str, desired: int | None = None) -> Rollout:
    return until(
        lambda: world.cluster.rollout(world.namespace, "api-blue"),
        lambda seen: seen.status == status and desired in (None, seen.desired),
    )


def test_a_good_version_becomes_ready(world: World) -> None:
    bring(world, "v1")
    seen = settled(world, "ready", 2)
    assert (seen.status, seen.ready, seen.desired, seen.total) == ("ready", 2, 2, 2), seen
    assert seen.generation == seen.observed_generation


@pytest.mark.parametrize(
    ("tag", "words"),
    [("bad", ("ImagePullBackOff", "digest")), ("crash", ("exit code 1", "restart", "no DATABASE_URL"))],
)
def test_what_waiting_cannot_mend_fails_long_before_its_deadline(
    world: World, tag: str, words: tuple[str, ...]
) -> None:
    bring(world, tag, ready_within=600)
    seen = settled(world, "failed")
    assert seen.status == "failed"
    assert all(word in seen.reason for word in words), seen


def test_a_version_that_never_becomes_ready_fails_at_its_deadline(world: World) -> None:
    bring(world, "notready", ready_within=6)
    assert settled(world, "progressing").status == "progressing"
    # On a busy machine its Pod may be pending still when the deadline is over.
    seen = until(
        lambda: world.cluster.rollout(world.namespace, "api-blue"),
        lambda seen: seen.status == "failed" and "pending" not in seen.reason,
    )
    assert seen.status == "failed"
    assert "is not ready" in seen.reason


def test_a_pod_that_no_node_takes_is_named_with_the_schedulers_words(world: World) -> None:
    bring(world, "pending")
    seen = until(
        lambda: world.cluster.rollout(world.namespace, "api-blue"), lambda seen: "scheduled" in seen.reason
    )
    assert seen.status == "progressing"
    assert "Insufficient cpu" in seen.reason


def test_a_quota_that_is_used_up_is_named(world: World) -> None:
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.admin.must("POST", path, quota)
    if world.server.kind == "real":
        until(
            lambda: world.admin.must("GET", f"{path}/small").get("status", {}),
            lambda status: "used" in status,
        )
    bring(world, "v1")
    world.cluster.raise_to(world.namespace, "api-blue", 2, generation=1)
    seen = until(
        lambda: world.cluster.rollout(world.namespace, "api-blue"), lambda seen: "quota" in seen.reason
    )
    assert "exceeded quota: small" in seen.reason, seen
    assert seen.status == "progressing"


def test_a_bad_update_in_place_fails_while_the_old_pods_serve(world: World) -> None:
    bring(world, "v1")
    settled(world, "ready", 2)
    bring(world, "bad")
    seen = settled(world, "failed")
    assert seen.status == "failed", seen
    old = [pod for pod in world.pods() if ":v1@" in pod["spec"]["containers"][0]["image"]]
    assert len(old) == 2
    bring(world, "v1", release="back-again")
    assert settled(world, "ready", 2).status == "ready"


def test_an_update_in_place_is_ready_when_the_old_pods_are_gone(world: World) -> None:
    bring(world, "v1")
    settled(world, "ready", 2)
    bring(world, "v2")
    seen = settled(world, "ready", 2)
    assert seen.status == "ready"
    images = {pod["spec"]["containers"][0]["image"].partition("@")[0] for pod in world.pods()}
    assert images == {"registry.example/api:v2"}


def test_pods_are_read_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    five = service(replicas=Replicas(min=5, max=5))
    world.apply(render(workload(world.namespace, "bad", service=five)))
    world.scale("api-blue", 5)
    until(world.pods, lambda pods: len(pods) == 5)
    assert len(world.cluster._pods(world.namespace, {"candlefish.ai/service": "api"})) == 5
    assert settled(world, "failed").status == "failed"


def test_a_missing_deployment_is_a_refusal_and_not_ready(world: World) -> None:
    with pytest.raises(ClusterRefused, match=r"Deployment api-blue .*404"):
        world.cluster.rollout(world.namespace, "api-blue")
