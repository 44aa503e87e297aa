"""What the fake API server promises beyond what the adapter uses: the real one does the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from candlefish.release.manifests import render
from tests.support.kubernetes.rest import JSON_PATCH, MERGE, STRATEGIC
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket


def configmap(world: World, name: str = "one", **labels: str) -> Any:
    body = {"metadata": {"name": name, "labels": labels}, "data": {"a": "1"}}
    return world.admin.must("POST", maps(world), body)


def maps(world: World, name: str = "") -> str:
    return f"/api/v1/namespaces/{world.namespace}/configmaps" + (f"/{name}" if name else "")


def names(answer: Any) -> list[str]:
    # Real clusters put a certificate authority into every namespace.
    return [
        each["metadata"]["name"] for each in answer["items"] if each["metadata"]["name"] != "kube-root-ca.crt"
    ]


def test_a_write_on_a_stale_version_conflicts(world: World) -> None:
    old = configmap(world)
    world.admin.must("PUT", maps(world, "one"), {**old, "data": {"a": "2"}})
    status, answer = world.admin.call("PUT", maps(world, "one"), {**old, "data": {"a": "3"}})
    assert (status, answer["reason"]) == (409, "Conflict")
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"a": "4"}}
    assert world.admin.call("PATCH", maps(world, "one"), stale, MERGE)[0] == 409


def test_making_an_object_twice_is_refused(world: World) -> None:
    configmap(world)
    status, answer = world.admin.call("POST", maps(world), {"metadata": {"name": "one"}})
    assert (status, answer["reason"]) == (409, "AlreadyExists")


def test_the_role_reads_its_own_namespace_and_no_other(world: World) -> None:
    assert world.limited.call("GET", f"/api/v1/namespaces/{world.namespace}")[0] == 200
    status, answer = world.limited.call("GET", "/api/v1/namespaces/kube-system")
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert (
        'cannot get resource "namespaces" in API group "" in the namespace "kube-system"' in answer["message"]
    )
    assert world.limited.call("GET", "/api/v1/namespaces")[0] == 403


def test_what_a_namespace_enforces_is_read_from_its_label(world: World) -> None:
    assert world.cluster.pod_security(world.namespace) == ""
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    world.admin.must("PATCH", f"/api/v1/namespaces/{world.namespace}", labels, MERGE)
    assert world.cluster.pod_security(world.namespace) == "restricted"
    assert world.cluster.pod_security("kube-system") is None


def test_a_dry_run_changes_nothing(world: World) -> None:
    body = {"metadata": {"name": "one"}, "data": {"a": "1"}}
    assert world.admin.must("POST", maps(world) + "?dryRun=All", body)["data"] == {"a": "1"}
    assert world.admin.call("GET", maps(world, "one"))[0] == 404


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        (MERGE, {"data": {"a": None, "b": "2"}}),
        (STRATEGIC, {"data": {"a": None, "b": "2"}}),
        (JSON_PATCH, [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}]),
    ],
)
def test_every_kind_of_patch_sets_and_removes(world: World, content_type: str, patch: Any) -> None:
    configmap(world)
    assert world.admin.must("PATCH", maps(world, "one"), patch, content_type)["data"] == {"b": "2"}


def test_a_json_patch_whose_test_fails_changes_nothing(world: World) -> None:
    configmap(world)
    patch = [{"op": "test", "path": "/data/a", "value": "9"}, {"op": "remove", "path": "/data/a"}]
    assert world.admin.call("PATCH", maps(world, "one"), patch, JSON_PATCH)[0] == 422
    assert world.admin.must("GET", maps(world, "one"))["data"] == {"a": "1"}


def test_a_strategic_patch_merges_containers_by_name(world: World) -> None:
    world.apply(render(workload(world.namespace)))
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/api-blue"
    env = [{"name": "ADDED", "value": "1"}]
    body = {"spec": {"template": {"spec": {"containers": [{"name": "api", "env": env}]}}}}
    made = world.admin.must("PATCH", path, body, STRATEGIC)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} >= {"ADDED", "CANDLEFISH_SLOT"}
    assert container["image"] == workload(world.namespace).image


def test_lists_are_selected_by_label_and_field(world: World) -> None:
    configmap(world, "one", tier="web", size="s")
    configmap(world, "two", tier="web", size="l")
    configmap(world, "three", tier="db")
    for selector, found in {
        "labelSelector=tier%3Dweb": ["one", "two"],
        "labelSelector=tier%3Dweb,size!%3Ds": ["two"],
        "labelSelector=tier%20in%20(db,cache)": ["three"],
        "labelSelector=!size": ["three"],
        "fieldSelector=metadata.name%3Dtwo": ["two"],
    }.items():
        assert names(world.admin.must("GET", f"{maps(world)}?{selector}")) == found, selector


def test_a_long_list_comes_in_pages(world: World) -> None:
    for name in ("a", "b", "c"):
        configmap(world, name, page="yes")
    path = f"{maps(world)}?labelSelector=page&limit=2"
    first = world.admin.must("GET", path)
    assert names(first) == ["a", "b"]
    second = world.admin.must("GET", f"{path}&continue={first['metadata']['continue']}")
    assert names(second) == ["c"]
    assert not second["metadata"].get("continue")


# The simulator carries no watches: its controllers and adapters do not use any.
@pytest.mark.parametrize("server", ["fake", "real"], indirect=True)
def test_a_watch_tells_what_happens_after_a_version(world: World) -> None:
    start = world.admin.must("GET", maps(world))["metadata"]["resourceVersion"]
    configmap(world, "seen", watched="yes")
    world.admin.must("PATCH", maps(world, "seen"), {"data": {"a": "2"}}, MERGE)
    world.admin.must("DELETE", maps(world, "seen"))
    path = f"{maps(world)}?watch=1&resourceVersion={start}&labelSelector=watched&timeoutSeconds=2"
    _, text = world.admin.call("GET", path)
    events = [json.loads(line) for line in text.splitlines()]
    assert [each["type"] for each in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[1]["object"]["data"] == {"a": "2"}


def test_a_selector_cannot_be_changed(world: World) -> None:
    world.apply(render(workload(world.namespace)))
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/api-blue"
    more = {"more": "x"}
    body = {"spec": {"selector": {"matchLabels": more}, "template": {"metadata": {"labels": more}}}}
    status, answer = world.admin.call("PATCH", path, body, MERGE)
    assert (status, answer["reason"]) == (422, "Invalid")
    assert "immutable" in answer["message"]


def test_an_eviction_that_the_budget_forbids_is_refused(world: World) -> None:
    world.apply(render(workload(world.namespace)))
    until(world.pods, lambda pods: len(pods) == 2)
    budget = f"/apis/policy/v1/namespaces/{world.namespace}/poddisruptionbudgets/api-blue"
    strict = {"spec": {"maxUnavailable": 0}}
    world.admin.must("PATCH", budget, strict, MERGE)
    until(
        lambda: world.admin.must("GET", budget).get("status", {}),
        lambda seen: seen.get("desiredHealthy") == 2 and seen.get("currentHealthy") == 2,
    )
    name = world.pods()[0]["metadata"]["name"]
    version = "policy/v1" if world.server.minor >= 22 else "policy/v1beta1"
    body = {
        "apiVersion": version,
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": world.namespace},
    }
    path = f"/api/v1/namespaces/{world.namespace}/pods/{name}/eviction"
    assert world.admin.call("POST", path, body)[0] == 429
    world.admin.must("PATCH", budget, {"spec": {"maxUnavailable": 1}}, MERGE)
    evicted = until(lambda: world.admin.call("POST", path, body)[0], lambda status: status == 201)
    assert evicted == 201


def test_a_tables_first_columns_are_what_kubectl_prints(world: World) -> None:
    world.apply(render(workload(world.namespace)))
    answer = world.admin.must("GET", f"/apis/apps/v1/namespaces/{world.namespace}/deployments/api-blue")
    assert answer["metadata"]["name"] == "api-blue"
    discovery = world.admin.must("GET", "/apis/apps/v1")
    entry = next(each for each in discovery["resources"] if each["name"] == "deployments")
    assert entry["shortNames"] == ["deploy"]
    assert entry["namespaced"] is True
