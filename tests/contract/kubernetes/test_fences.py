"""Nothing that an older generation sends is written over what a newer one wrote, however late it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from candlefish.adapters.kubernetes.changes import LINES
from candlefish.adapters.kubernetes.cluster import NEW, KubernetesCluster
from candlefish.adapters.kubernetes.kinds import path_of
from candlefish.adapters.kubernetes.messages import APPLY, MERGE, ApiResponse, RequestCarrier
from candlefish.errors import StaleGeneration, Unavailable
from candlefish.release.manifests import MANAGER, render
from candlefish.release.manifests.model import GENERATION_NOTE
from candlefish.release.model import Manifest, Running
from candlefish.release.ports import Cluster
from tests.support.kubernetes.samples import service, workload
from tests.support.kubernetes.servers import World, applied, until
from tests.support.waiting import rounds

pytestmark = pytest.mark.enable_socket

SLOT = "api-blue"
Act = Callable[[World, Cluster, int], object]


def slot(world: World, tag: str = "v1", generation: int = 1, **env: str) -> tuple[Manifest, ...]:
    made = render(workload(world.namespace, tag, generation=generation, service=service(env=env)))
    return tuple(world.spelled(each) for each in made)


def deploy(world: World, tag: str = "v1", generation: int = 1, **env: str) -> tuple[str, ...]:
    return applied(world.cluster, slot(world, tag, generation, **env))


# Every way in which a slot is written, by a generation.
ACTS: dict[str, Act] = {
    "apply": lambda world, cluster, generation: applied(cluster, slot(world, f"v{generation}", generation)),
    "raise": lambda world, cluster, generation: cluster.raise_to(
        world.namespace, SLOT, 2 + generation, generation=generation
    ),
    "bounds": lambda world, cluster, generation: cluster.set_bounds(
        world.namespace, SLOT, minimum=2, maximum=2 + generation, generation=generation
    ),
    "retire": lambda world, cluster, generation: cluster.retire(world.namespace, SLOT, generation),
}


def insist(world: World, act: Act, generation: int) -> None:
    """On a busy machine controllers come between again and again; then a machine tries again."""
    for _ in rounds(lambda: "controllers always come between"):
        try:
            act(world, world.cluster, generation)
            return
        except Unavailable:
            continue


def everything(world: World, generation: int) -> None:
    """Write a slot in every way."""
    for act in ACTS.values():
        insist(world, act, generation)


acts = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)


def written(world: World) -> dict[str, Any]:
    """All of a slot that a release writes."""
    return {
        kind: {"annotations": found["metadata"]["annotations"], "spec": found["spec"]}
        for kind in ("deployments", "horizontalpodautoscalers", "services", "networkpolicies")
        if (found := world.get(kind, SLOT))
    }


def settled(world: World) -> dict[str, Any]:
    """The same, once the autoscaler has done what it does by itself and the controllers have written their notes."""
    until(lambda: world.cluster.rollout(world.namespace, SLOT).status, lambda status: status == "ready")
    until(lambda: world.cluster.current_replicas(world.namespace, SLOT), lambda count: count >= 2)
    until(lambda: world.cluster.rollout(world.namespace, SLOT).status, lambda status: status == "ready")
    return written(world)


class Wire:
    """The API; what is written goes through `carry`, rehearsals do not."""

    def __init__(self, world: World, carry: Callable[[Callable[[], ApiResponse], str], ApiResponse]) -> None:
        self._api: RequestCarrier = world.server.carrier()
        self._carry = carry

    def request(self, method: str, path: str, **more: Any) -> ApiResponse:
        def send() -> ApiResponse:
            return self._api.request(method, path, **more)

        if method != "PATCH" or "dryRun" in more["query"]:
            return send()
        return self._carry(send, path)


class Lost:
    """What the network keeps: nothing arrives until it is let through."""

    def __init__(self) -> None:
        self.kept: list[Callable[[], ApiResponse]] = []

    def __call__(self, send: Callable[[], ApiResponse], path: str) -> ApiResponse:
        self.kept.append(send)
        raise Unavailable("the function was stopped")


# --- who may write -----------------------------------------------------------------------------


@acts
def test_an_older_generation_is_refused_and_changes_nothing(world: World, act: Act) -> None:
    deploy(world, generation=9)
    everything(world, 10)
    world.cluster.raise_to(world.namespace, SLOT, 2, generation=10)
    before = settled(world)
    with pytest.raises(StaleGeneration, match="generation 10 wrote it, the caller holds 9"):
        act(world, world.cluster, 9)
    assert written(world) == before


@acts
def test_whoever_writes_says_so_even_where_there_is_nothing_to_change(world: World, act: Act) -> None:
    deploy(world, generation=3)
    insist(world, act, 3)
    insist(world, act, 4)
    kind = "horizontalpodautoscalers" if act is ACTS["bounds"] else "deployments"
    assert world.get(kind, SLOT)["metadata"]["annotations"][GENERATION_NOTE] == "4"
    with pytest.raises(StaleGeneration):
        act(world, world.cluster, 3)


def test_every_object_keeps_an_older_release_out_before_any_is_written(world: World) -> None:
    deploy(world, generation=1)
    path = path_of(slot(world)[1])
    world.admin.must("PATCH", path, {"metadata": {"annotations": {GENERATION_NOTE: "8"}}}, MERGE)
    before = {kind: each for kind, each in written(world).items() if kind != "deployments"}
    with pytest.raises(StaleGeneration, match=r"NetworkPolicy api-blue .*generation 8 wrote it"):
        deploy(world, "v2", generation=7)
    assert {kind: each for kind, each in written(world).items() if kind != "deployments"} == before
    assert world.cluster.running(world.namespace, SLOT).generation == 1  # type: ignore[union-attr]


# --- what comes late ---------------------------------------------------------------------------


@acts
def test_a_write_that_comes_after_a_newer_one_is_refused_by_the_api(world: World, act: Act) -> None:
    deploy(world, generation=1)
    late = Lost()
    with pytest.raises(Unavailable):
        act(world, KubernetesCluster(Wire(world, late)), 2)
    everything(world, 3)
    world.cluster.raise_to(world.namespace, SLOT, 2, generation=3)
    before = settled(world)
    (arrives,) = late.kept
    assert arrives().status == 409
    assert written(world) == before


def test_an_object_that_was_missing_when_it_was_looked_for_is_not_written_over(world: World) -> None:
    for number, each in enumerate(slot(world, "v1", 1)):
        late = Lost()
        with pytest.raises(Unavailable):
            applied(KubernetesCluster(Wire(world, late)), (each,))
        newer = slot(world, "v2", 2)[number]
        applied(world.cluster, (newer,))
        (arrives,) = late.kept
        answer = arrives()
        # Before 1.24 a Service is made without a condition (tests.support.kubernetes.servers).
        if each["kind"] != "Service" or world.server.minor >= 24:
            assert answer.status == 409, each["kind"]


def test_a_stale_version_is_refused_and_a_version_of_nothing_makes_an_object(world: World) -> None:
    wanted = next(each for each in slot(world) if each["kind"] == "NetworkPolicy")
    path = path_of(wanted)

    def apply(version: str, note: str) -> tuple[int, Any]:
        metadata = {**wanted["metadata"], "resourceVersion": version, "annotations": {"note": note}}
        query = f"?fieldManager={MANAGER}"
        return world.admin.call("PATCH", path + query, {**wanted, "metadata": metadata}, APPLY)

    status, made = apply(NEW, "first")
    assert status == 201
    first = made["metadata"]["resourceVersion"]
    status, made = apply(first, "second")
    assert status == 200
    for version in (NEW, first):
        status, refused = apply(version, "third")
        assert (status, refused["reason"], refused.get("details", {}).get("causes")) == (
            409,
            "Conflict",
            None,
        )
        patch = {"metadata": {"resourceVersion": version, "annotations": {"note": "third"}}}
        assert world.admin.call("PATCH", path, patch, MERGE)[0] == 409
    assert world.get("networkpolicies", SLOT)["metadata"] == made["metadata"]


@acts
def test_what_others_write_meanwhile_is_no_refusal(world: World, act: Act) -> None:
    """The autoscaler, a controller's status, a person's note."""
    deploy(world, generation=1)
    settled(world)
    meddled: list[str] = []

    def meddle(send: Callable[[], ApiResponse], path: str) -> ApiResponse:
        if path not in meddled:
            meddled.append(path)
            world.scale(SLOT, 4)
            world.admin.must("PATCH", path, {"metadata": {"annotations": {"example.org/note": "1"}}}, MERGE)
        return send()

    act(world, KubernetesCluster(Wire(world, meddle)), 2)
    assert meddled
    kind = "horizontalpodautoscalers" if act is ACTS["bounds"] else "deployments"
    assert world.get(kind, SLOT)["metadata"]["annotations"][GENERATION_NOTE] == "2"
    asked = world.cluster.current_replicas(world.namespace, SLOT)
    assert asked == (0 if act is ACTS["retire"] else 4)


@acts
def test_a_write_whose_answer_was_lost_is_repeated_and_meets_itself(world: World, act: Act) -> None:
    deploy(world, generation=1)
    settled(world)

    lost: set[str] = set()

    def twice(send: Callable[[], ApiResponse], path: str) -> ApiResponse:
        answer = send()
        if path in lost:
            return answer
        lost.add(path)
        return send()

    changed = act(world, KubernetesCluster(Wire(world, twice)), 2)
    assert lost
    act(world, world.cluster, 2)
    if act is ACTS["apply"]:
        assert "Deployment api-blue: spec.template.spec.containers[api].image" in str(changed)


# --- what an apply changes ---------------------------------------------------------------------


def test_an_apply_says_what_it_changed(world: World) -> None:
    made = deploy(world, KEPT="1", DROPPED="2")
    assert made[0] == "ServiceAccount api: created"
    assert len(made) == len(slot(world)) and all(line.endswith(": created") for line in made)
    assert deploy(world, KEPT="1", DROPPED="2") == ()
    settled(world)
    world.cluster.set_bounds(world.namespace, SLOT, minimum=3, maximum=9, generation=1)
    world.scale(SLOT, 3)
    seen = deploy(world, "v2", 2, KEPT="x" * 500)
    whole = "Deployment api-blue: spec.template.spec.containers[api]"
    lines = dict(line.rsplit(": ", 1) for line in seen)
    assert lines[f"{whole}.env[DROPPED].value"] == "2 -> nothing"
    assert lines[f"{whole}.env[KEPT].value"] == "1 -> " + "x" * 47 + "…"
    assert lines["HorizontalPodAutoscaler api-blue: spec.minReplicas"] == "3 -> 2"
    assert lines["HorizontalPodAutoscaler api-blue: spec.maxReplicas"] == "9 -> 4"
    assert any(path == f"{whole}.image" for path in (line.split(": registry")[0] for line in seen))
    # Neither what every release writes, nor what nobody applies.
    assert not [line for line in seen if "candlefish.ai/" in line or "replicas:" in line or "status" in line]


def test_what_it_says_is_short(world: World) -> None:
    deploy(world)
    seen = deploy(world, "v2", 2, **{f"NAME_{number}": "value" for number in range(100)})
    assert len(seen) == LINES
    assert seen[-1].startswith("and ") and seen[-1].endswith(" more")
    assert max(map(len, seen)) <= 200


def test_what_is_not_applied_any_more_goes_away_whoever_patched_since(world: World) -> None:
    deploy(world, KEPT="1", DROPPED="2")
    settled(world)
    world.cluster.set_bounds(world.namespace, SLOT, minimum=3, maximum=9, generation=2)
    world.cluster.raise_to(world.namespace, SLOT, 3, generation=2)
    world.scale(SLOT, 4)
    world.cluster.raise_to(world.namespace, SLOT, 3, generation=3)
    deploy(world, "v2", 4, KEPT="1")
    found = world.get("deployments", SLOT)
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert "DROPPED" not in {each["name"] for each in container["env"]}
    assert found["spec"]["replicas"] == 4
    fields = {
        (each["manager"], each["operation"]): each["fieldsV1"] for each in found["metadata"]["managedFields"]
    }
    ours = fields[MANAGER, "Apply"]
    assert f"f:{GENERATION_NOTE}" in ours["f:metadata"]["f:annotations"]
    assert "f:replicas" not in ours["f:spec"]
    # What a patch wrote is the apply's again. Servers before 1.22 do not see who scales.
    patched = fields.get((MANAGER, "Update"), {})
    assert patched in ({}, {"f:spec": {"f:replicas": {}}})
    bounds = world.get("horizontalpodautoscalers", SLOT)["spec"]
    assert (bounds["minReplicas"], bounds["maxReplicas"]) == (2, 4)


# --- what runs ---------------------------------------------------------------------------------


def test_what_runs_is_read_from_the_cluster_alone(world: World) -> None:
    assert world.cluster.running(world.namespace, SLOT) is None
    deploy(world, "v1", 7)
    asked = until(lambda: world.cluster.current_replicas(world.namespace, SLOT), lambda count: count == 2)
    wanted = workload(world.namespace, "v1")
    expected = Running(wanted.image, "v1", "release-v1", 7, asked)
    assert world.cluster.running(world.namespace, SLOT) == expected
    path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers/{SLOT}"
    world.admin.must("DELETE", path)
    world.cluster.retire(world.namespace, SLOT, 8)
    seen = world.cluster.running(world.namespace, SLOT)
    assert seen == Running(wanted.image, "v1", "release-v1", 8, 0, autoscaled=False)


def test_an_annotation_alone_makes_a_deployments_next_generation(world: World) -> None:
    """So a rollout that was ready is looked at again after each of our writes."""
    deploy(world)
    settled(world)
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/{SLOT}"
    numbers = [
        world.admin.must("PATCH", path, {"metadata": {"annotations": {"example.org/n": str(n)}}}, MERGE)[
            "metadata"
        ]["generation"]
        for n in range(2)
    ]
    assert numbers[1] == numbers[0] + 1
