"""Random writes by several managers: the fake answers what the real API server answers."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lab.kube.ownership import read_owners
from tests.support.kubernetes.rest import APPLY, MERGE, STRATEGIC
from tests.support.kubernetes.servers import Server

pytestmark = [pytest.mark.lab, pytest.mark.enable_socket]

Write = tuple[str, str, bool, dict[str, Any]]
NAMES = st.sampled_from(["a", "b"])
# In every map of names, so that no write makes or empties one: old servers keep odd books of that.
ALWAYS = {"z": "0"}
TEXTS = st.sampled_from(["1", "2"])


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Any]:
    """A Pod template with maps, keyed lists and lists that are replaced whole."""
    items = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=2, unique=True)):
        item: dict[str, Any] = {"name": name, "image": f"image:{draw(TEXTS)}"}
        if env := draw(st.dictionaries(NAMES, TEXTS, max_size=2)):
            item["env"] = [{"name": key, "value": value} for key, value in env.items()]
        if ports := draw(st.lists(st.sampled_from([80, 81]), max_size=2, unique=True)):
            item["ports"] = [{"containerPort": port, "protocol": "TCP"} for port in ports]
        if draw(st.booleans()):
            item["args"] = draw(st.lists(TEXTS, min_size=1, max_size=2))
        if draw(st.booleans()):
            item["resources"] = {"limits": {"cpu": draw(TEXTS)}}
        items.append(item)
    spec: dict[str, Any] = {"containers": items}
    if draw(st.booleans()):
        spec["terminationGracePeriodSeconds"] = draw(st.integers(5, 6))
    return {"metadata": {"labels": {"app": "x"}, "annotations": ALWAYS}, "spec": spec}


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A Deployment as one manager would have it."""
    metadata: dict[str, Any] = {"name": "thing"}
    for field in ("labels", "annotations"):
        metadata[field] = {**ALWAYS, **draw(st.dictionaries(NAMES, TEXTS, max_size=2))}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "x"}}, "template": draw(templates())}
    if draw(st.booleans()):
        spec["replicas"] = draw(st.integers(0, 1))
    if draw(st.booleans()):
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": draw(st.integers(1, 2))}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@st.composite
def patches(draw: st.DrawFn) -> dict[str, Any]:
    """A small change, by merge or strategic merge."""
    return draw(
        st.sampled_from(
            [
                {"metadata": {"labels": {"a": "3"}}},
                {"metadata": {"labels": {"b": None}}},
                {"spec": {"replicas": 1}},
                {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}},
                {"spec": {"template": {"metadata": {"annotations": {"a": "3"}}}}},
            ]
        )
    )


applies = st.tuples(st.sampled_from(["us", "them"]), st.just(APPLY), st.booleans(), configs())
edits = st.tuples(st.just("kubectl"), st.sampled_from([MERGE, STRATEGIC]), st.just(False), patches())


def play(server: Server, writes: list[Write]) -> list[Any]:
    """What the server answers to each write: its code, and on success what the object is then."""
    namespace = f"differ-{secrets.token_hex(5)}"
    server.admin.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/thing"
    seen = []
    for manager, content_type, force, body in writes:
        query = f"?fieldManager={manager}" + ("&force=true" if force else "")
        status, answer = server.admin.call("PATCH", path + query, body, content_type)
        seen.append((status, described(answer)) if status < 300 else (status, conflicts(answer)))
    server.admin.call("DELETE", path)
    server.admin.call("DELETE", f"/api/v1/namespaces/{namespace}")
    return seen


def described(value: Any) -> Any:
    """What should be equal: content, and who owns which field of it."""
    owners = {
        f"{manager.name} {manager.operation}": {
            "/".join(path): True for path in paths if not is_existence_of_a_map(path)
        }
        for manager, paths in read_owners(value).items()
        if manager.name in ("us", "them", "kubectl")
    }
    owners = {name: fields for name, fields in owners.items() if fields}
    metadata = {
        field: value["metadata"][field] for field in ("labels", "annotations") if value["metadata"].get(field)
    }
    metadata.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return {
        "metadata": {k: v for k, v in metadata.items() if v},
        "spec": without_nothing(value["spec"]),
        "owners": owners,
    }


def is_existence_of_a_map(path: tuple[str, ...]) -> bool:
    """Whoever makes a map owns that it is there; the fake keeps no book of that, and nothing follows from it."""
    return path[-1] in ("f:labels", "f:annotations") or (path[-1] == "." and path[-2].startswith("f:"))


def without_nothing(value: Any) -> Any:
    """A value without empty maps, and keyed lists in one order: servers of different age differ in both."""
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items() if item not in ({}, None)}
    if not isinstance(value, list):
        return value
    made = [without_nothing(item) for item in value]
    return (
        sorted(made, key=lambda item: json.dumps(item, sort_keys=True))
        if made and isinstance(made[0], dict)
        else made
    )


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every value by its place, so that a difference can be read."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, (list, tuple))
        else ()
    )
    found = {k: v for key, item in items for k, v in leaves(item, f"{path}/{key}").items()}
    return found or {path: value}


def conflicts(answer: Any) -> Any:
    """With whom. Servers before 1.22 may name a wrong field beside a right one."""
    causes = (answer.get("details") or {}).get("causes") or []
    # The real server adds when an update was.
    return sorted({cause["message"].partition(" at ")[0] for cause in causes})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(applies | edits, min_size=1, max_size=5))
def test_any_sequence_of_writes_ends_alike(
    fake_server: Server, real_server: Server, writes: list[Write]
) -> None:
    for write, fake, real in zip(writes, play(fake_server, writes), play(real_server, writes), strict=True):
        left, right = leaves(fake), leaves(real)
        differs = {
            path: f"fake {left.get(path)!r}, real {right.get(path)!r}"
            for path in left.keys() | right.keys()
            if left.get(path) != right.get(path)
        }
        note(f"{write}\n{json.dumps(differs, indent=1)}")
        assert not differs
