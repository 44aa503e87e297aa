"""A mesh's labels are read of the live cluster, and what they mean for the way over is said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cli.adopt.facts import Facts
from cli.adopt.look_cluster import look_at_cluster
from cli.adopt.propose import propose
from tests.support.adopted import deployment, service

STRICT = {
    "kind": "PeerAuthentication",
    "metadata": {"name": "default", "namespace": "shop"},
    "spec": {"mtls": {"mode": "STRICT"}},
}


def space(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": labels or {}, "annotations": annotations or {}},
    }


def said(facts: Facts, about: str) -> list[str]:
    return [each.what for each in propose("prod", facts).obstacles if each.about == about]


@pytest.mark.parametrize(
    ("labels", "annotations", "says"),
    [
        ({"istio-injection": "enabled"}, {}, "label istio-injection=enabled"),
        ({"istio.io/rev": "1-24"}, {}, "label istio.io/rev=1-24"),
        ({"istio-injection": "disabled", "istio.io/rev": "1-24"}, {}, ""),
        ({}, {"linkerd.io/inject": "enabled"}, "annotation linkerd.io/inject=enabled"),
        ({"istio.io/dataplane-mode": "ambient"}, {}, "label istio.io/dataplane-mode=ambient"),
        ({"team": "shop"}, {}, ""),
    ],
)
def test_a_namespace_says_whether_a_mesh_is_in_it(
    labels: dict[str, str], annotations: dict[str, str], says: str, with_objects: Any
) -> None:
    found = said(with_objects(space(labels, annotations)), "namespace shop")
    assert len(found) == bool(says) and all(each.startswith(says) for each in found)


def test_pods_without_a_sidecar_in_a_mesh_keep_that(with_objects: Any) -> None:
    plain = deployment("plain")
    plain["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] = "false"
    objects = (plain, service("plain"))
    facts = with_objects(*objects, space({"istio-injection": "enabled"}))
    (obstacle,) = [each for each in propose("prod", facts).obstacles if "sidecar.istio.io" in each.what]
    assert obstacle.about == "plain" and 'sidecar.istio.io/inject: "false"' in obstacle.do
    # Where no mesh is, there is nothing to keep.
    assert not [each for each in propose("prod", with_objects(*objects)).obstacles if "sidecar" in each.what]


@pytest.mark.parametrize("key", ["sidecar.istio.io/inject", "istio.io/rev"])
def test_pods_that_ask_for_a_sidecar_themselves_are_told_of(key: str, with_objects: Any) -> None:
    asking = deployment("asking")
    asking["spec"]["template"]["metadata"]["labels"][key] = "true"
    assert any(f"({key}=true)" in each for each in said(with_objects(asking, service("asking")), "asking"))


def test_a_load_balancer_cannot_speak_what_a_strict_mesh_wants(with_objects: Any) -> None:
    def blocked(*objects: dict[str, Any]) -> list[str]:
        found = propose("prod", with_objects(*objects)).obstacles
        return [each.about for each in found if each.blocks and "mutual TLS" in each.what]

    injected = space({"istio-injection": "enabled"})
    assert blocked(STRICT, injected) == ["shop"]
    assert blocked(STRICT) == blocked(injected) == []
    of_one = {**STRICT, "spec": {**STRICT["spec"], "selector": {"matchLabels": {"app": "other"}}}}
    assert blocked(of_one, injected) == []


@pytest.mark.parametrize(("status", "unread"), [(200, False), (403, True)])
def test_the_namespace_itself_is_read(status: int, unread: bool) -> None:
    def ask(path: str) -> tuple[int, bytes]:
        if path == "/api/v1/namespaces/shop":
            return status, msgspec.json.encode(space({"istio-injection": "enabled"}))
        return (404, b"") if "istio.io" in path or "elbv2" in path or "argoproj" in path else (200, b"{}")

    found = look_at_cluster(Facts(), ask, "shop")
    assert [each["metadata"]["labels"] for each in found.of("Namespace")] == (
        [] if unread else [{"istio-injection": "enabled"}]
    )
    assert [each for each in found.unread if "namespace shop itself" in each] == (
        ["namespace shop itself (a mesh's labels): the cluster answered 403"] if unread else []
    )
