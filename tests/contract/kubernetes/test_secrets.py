"""Secrets by value, volumes and strangers, as the control plane's limited role has them on every API server."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from candlefish.catalog.model import Secret, SecretStore
from candlefish.release.manifests import Workload, render
from candlefish.release.model import Selecting
from lab.kube import FakeCluster as FakeServer
from lab.kube import NullRuntime
from lab.kube.controllers import Controllers
from tests.support.kubernetes.samples import environment, service, workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket
SECRETS = (
    Secret(name="shop/database", env="DATABASE_URL", key="url"),
    Secret(name="shop/token", env="TOKEN"),
)
GROUPS = {"externalsecrets": "external-secrets.io", "secretproviderclasses": "secrets-store.csi.x-k8s.io"}


def definition(plural: str) -> dict[str, Any]:
    """The least that makes a real API server take a kind."""
    kind = {"externalsecrets": "ExternalSecret", "secretproviderclasses": "SecretProviderClass"}[plural]
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": loose}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUPS[plural]}"},
        "spec": {
            "group": GROUPS[plural],
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


@pytest.fixture
def served(world: World) -> World:
    """A world whose API server takes what the two operators bring."""
    if world.server.kind == "real":
        for plural, group in GROUPS.items():
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            status, answer = world.admin.call("POST", path, definition(plural))
            assert status in (201, 409), answer
            listed = f"/apis/{group}/v1/namespaces/{world.namespace}/{plural}"
            until(lambda path=listed: world.admin.call("GET", path)[0], lambda status: status == 200)
    return world


def by_value(world: World, how: str) -> Workload:
    store = SecretStore("aws") if how == "external-secrets" else None
    env = environment(world.namespace, secrets_by=how, secret_store=store)
    return workload(world.namespace, service=service(secrets=SECRETS), environment=env)


@pytest.mark.parametrize(
    ("how", "plural"), [("external-secrets", "externalsecrets"), ("csi", "secretproviderclasses")]
)
def test_what_brings_secrets_is_applied_and_applied_again(served: World, how: str, plural: str) -> None:
    objects = render(by_value(served, how))
    assert any(plural[:8] in line.lower() for line in served.apply(objects))
    path = f"/apis/{GROUPS[plural]}/v1/namespaces/{served.namespace}/{plural}/api-blue-secrets"
    found = served.admin.must("GET", path)
    (wanted,) = (each for each in objects if each["metadata"]["name"] == "api-blue-secrets")
    assert found["spec"] == wanted["spec"]
    assert served.apply(objects) == ()


def test_pods_wait_for_their_secret_and_start_when_it_is_there(served: World) -> None:
    served.apply(render(by_value(served, "external-secrets")))
    rollout = until(
        lambda: served.cluster.rollout(served.namespace, "api-blue"),
        lambda seen: "api-blue-secrets" in seen.reason,
    )
    assert rollout.status == "progressing", rollout
    data = {name: base64.b64encode(b"x").decode() for name in ("DATABASE_URL", "TOKEN")}
    secret = {"metadata": {"name": "api-blue-secrets"}, "data": data}
    served.admin.must("POST", f"/api/v1/namespaces/{served.namespace}/secrets", secret)
    ready = until(
        lambda: served.cluster.rollout(served.namespace, "api-blue"), lambda seen: seen.status == "ready"
    )
    assert ready.status == "ready", ready


def test_a_strangers_service_is_seen_and_so_is_how_a_volume_is_mounted(world: World) -> None:
    world.apply(render(workload(world.namespace)))
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "live", "labels": {"team": "shop"}},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 80}]},
    }
    world.admin.must("POST", f"/api/v1/namespaces/{world.namespace}/services", theirs)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    world.admin.must("POST", f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims", claim)
    found = {(each.kind, each.name): each for each in world.cluster.selecting(world.namespace)}
    assert found["Service", "live"] == Selecting(
        "Service", "live", {"matchLabels": {"app": "api"}}, {"team": "shop"}
    )
    slot = {"candlefish.ai/service": "api", "candlefish.ai/slot": "blue"}
    for kind in ("Service", "PodDisruptionBudget", "Deployment"):
        assert found[kind, "api-blue"].selector == {"matchLabels": slot}
    assert world.cluster.access_modes(world.namespace, "data") == ("ReadWriteOnce",)
    assert world.cluster.access_modes(world.namespace, "none") is None


VALUES = {"shop/database": '{"url": "postgres://x", "user": "y"}', "shop/token": "t"}


@pytest.mark.parametrize("how", ["external-secrets", "csi"])
def test_the_labs_operators_keep_the_slots_secret_with_the_keys_that_were_asked_for(how: str) -> None:
    fake = FakeServer(NullRuntime(), namespaces=("shop",), time_scale=0.0, secret_values=VALUES.get)
    env = environment(
        "shop", secrets_by=how, secret_store=SecretStore("aws") if how == "external-secrets" else None
    )
    fake.apply(render(workload("shop", service=service(secrets=SECRETS), environment=env)))
    fake.start()
    try:
        kept = until(lambda: _secret(fake), lambda found: found is not None)
    finally:
        fake.stop()
    assert {key: base64.b64decode(value).decode() for key, value in kept["data"].items()} == {
        "DATABASE_URL": "postgres://x",
        "TOKEN": "t",
    }


@pytest.mark.parametrize("how", ["external-secrets", "csi"])
def test_what_is_kept_is_not_read_again_before_its_object_changes(how: str) -> None:
    asked: list[str] = []

    def value(name: str) -> str | None:
        asked.append(name)
        return VALUES.get(name)

    fake = FakeServer(NullRuntime(), namespaces=("shop",), time_scale=0.0, secret_values=value)
    env = environment(
        "shop", secrets_by=how, secret_store=SecretStore("aws") if how == "external-secrets" else None
    )
    fake.apply(render(workload("shop", service=service(secrets=SECRETS), environment=env)))
    controllers = Controllers(fake.writes)
    for _ in range(5):
        controllers.sync(by_the_clock=True)
    assert _secret(fake) is not None
    assert asked
    seen = len(asked)
    for _ in range(5):
        controllers.sync(by_the_clock=True)
    assert len(asked) == seen
    fake.apply(render(workload("shop", service=service(secrets=SECRETS[1:]), environment=env)))
    controllers.sync(by_the_clock=True)
    assert len(asked) > seen
    assert set(_secret(fake)["data"]) == {"TOKEN"}


def _secret(fake: FakeServer) -> Any:
    from lab.kube.kinds import SECRET

    return fake.store.get(SECRET, "shop", "api-blue-secrets")
