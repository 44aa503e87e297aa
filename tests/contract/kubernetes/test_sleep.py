"""Sixty workloads of all kinds go to sleep and wake up exactly as they were, on both API servers.

Nodegroups and databases are simulated: this is about the Kubernetes API. On a server without the
kinds of KEDA and Karpenter their definitions are installed; one that is older than an API version
we use serves the same kind under its older version, so the paths are set to that.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml

from candlefish.adapters.kubernetes.workloads import Workloads
from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.kinds import KINDS, PAUSED_REPLICAS, SLEEP_ANNOTATION, kind_of
from candlefish.capacity.model import CapacitySight
from candlefish.capacity.scope import see
from candlefish.errors import ClusterRefused, Unavailable
from lab.memory.service import MemoryRecords
from lab.nights.simulation import SimulatedClock, Simulation
from tests.support.capacity import HOUR, at, catalog, environment, phase
from tests.support.kubernetes.rest import MERGE, Rest
from tests.support.kubernetes.servers import OLDER, ROOT, SLEEPER_ID, Server, until

COUNTS = {
    "Deployment": 20,
    "StatefulSet": 6,
    "CronJob": 8,
    "HorizontalPodAutoscaler": 8,
    "PodDisruptionBudget": 8,
    "ScaledObject": 6,
    "NodePool": 4,
}
assert sum(COUNTS.values()) == 60


class KubernetesWorld:
    """`capacity.ports.CapacityWorld` of the cluster alone."""

    def __init__(self, workloads: Workloads, namespace: str) -> None:
        self.workloads = workloads
        self.namespace = namespace
        self.acts: list[CapacityAct] = []

    def observe(self) -> CapacitySight:
        return see(self.workloads.lists(), self.namespace)

    def apply(self, act: CapacityAct) -> None:
        self.acts.append(act)
        kind, name = kind_of(act.key), act.key.partition("/")[2]
        self.workloads.set(kind, name, act.to, act.version)
        if kind.name == "NodePool" and act.to == kind.park(act.to):
            self.workloads.remove_nodes(name)


@pytest.fixture
def namespace(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if server.minor < 23:
        for name, kind in list(KINDS.items()):
            if kind.plural in OLDER:
                monkeypatch.setitem(KINDS, name, msgspec.structs.replace(kind, api=OLDER[kind.plural]))
    if server.kind == "real":
        for group, version, kind, plural, scope in (
            ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects", "Namespaced"),
            ("karpenter.sh", "v1", "NodePool", "nodepools", "Cluster"),
            ("karpenter.sh", "v1", "NodeClaim", "nodeclaims", "Cluster"),
        ):
            install(server.admin, group, version, kind, plural, scope)
    for document in yaml.safe_load_all((ROOT / "deploy/rbac-capacity.yaml").read_text()):
        plural = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"}[
            document["kind"]
        ]
        status, answer = server.admin.call("POST", f"/apis/rbac.authorization.k8s.io/v1/{plural}", document)
        assert status in (201, 409), answer
    name = f"sleep-{time.monotonic_ns() % 10**9}"
    server.admin.must("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    if server.kind == "real":
        until(lambda: server.admin.call("GET", account)[0], lambda status: status == 200)
    yield name
    for kind in ("NodePool", "NodeClaim"):
        path = f"/apis/karpenter.sh/v1/{kind.lower()}s"
        for each in server.admin.must("GET", path)["items"]:
            server.admin.call("DELETE", f"{path}/{each['metadata']['name']}")


@pytest.fixture
def world(server: Server, namespace: str) -> KubernetesWorld:
    return KubernetesWorld(Workloads(lambda: server.carrier(SLEEPER_ID), namespace), namespace)


def install(admin: Rest, group: str, version: str, kind: str, plural: str, scope: str) -> None:
    """Install a kind without a schema of its own."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved"},
        },
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
    status, answer = admin.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    assert status in (201, 409), answer
    until(lambda: admin.call("GET", f"/apis/{group}/{version}/{plural}")[0], lambda status: status == 200)


def spec_of(kind: str, number: int) -> dict[str, Any]:
    """A spec of a kind, each number another one."""
    labels = {"app": f"app-{number}"}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example.com/app:1"}]},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"deployment-{number}"}
    never = {"template": {**pod, "spec": {**pod["spec"], "restartPolicy": "Never"}}}
    specs: dict[str, dict[str, Any]] = {
        "Deployment": {"replicas": number % 4, "selector": {"matchLabels": labels}, "template": pod},
        "StatefulSet": {
            "replicas": 1 + number % 2,
            "serviceName": "none",
            "selector": {"matchLabels": labels},
            "template": pod,
        },
        "CronJob": {
            "schedule": "0 3 * * *",
            "jobTemplate": {"spec": never},
            **({"suspend": number % 2 == 0} if number % 3 else {}),
        },
        "HorizontalPodAutoscaler": {
            "maxReplicas": 5 + number,
            "scaleTargetRef": target,
            # What its target has: a real autoscaler would raise fewer within its fifteen seconds.
            **({"minReplicas": number % 4} if number % 4 else {}),
        },
        "PodDisruptionBudget": {
            "selector": {"matchLabels": labels},
            **({"minAvailable": "50%"} if number % 2 else {"maxUnavailable": 1}),
        },
        "ScaledObject": {"scaleTargetRef": {"name": f"deployment-{10 + number}"}, "minReplicaCount": 1},
        "NodePool": {"template": {}} if number % 2 else {"limits": {"cpu": "100", "memory": "400Gi"}},
    }
    return specs[kind]


def fill(server: Server, namespace: str) -> None:
    for kind, count in COUNTS.items():
        for number in range(count):
            annotations = {"note": "an annotation of its owner"} if number % 2 else {}
            if kind == "ScaledObject" and number % 3 == 0:
                annotations[PAUSED_REPLICAS] = "4"
            server.admin.must(
                "POST",
                path_of(kind, namespace),
                {
                    "apiVersion": KINDS[kind].api.removeprefix("/apis/"),
                    "kind": kind,
                    "metadata": {"name": f"{kind.lower()}-{number}", "annotations": annotations},
                    "spec": spec_of(kind, number),
                },
            )


def path_of(kind: str, namespace: str) -> str:
    row = KINDS[kind]
    return f"{row.api}/namespaces/{namespace}/{row.plural}" if row.namespaced else f"{row.api}/{row.plural}"


def picture(server: Server, namespace: str) -> dict[str, Any]:
    """Every object but for what the API server and the controllers keep for themselves."""
    found: dict[str, Any] = {}
    for kind in COUNTS:
        for thing in copy.deepcopy(server.admin.must("GET", path_of(kind, namespace))["items"]):
            for field in ("resourceVersion", "generation", "managedFields"):
                thing["metadata"].pop(field, None)
            # Kept by the Deployment controller beside the replicas of its ReplicaSets.
            thing.pop("status", None)
            found[f"{kind}/{thing['metadata']['name']}"] = thing
    return found


def play_stateful_sets(server: Server, namespace: str) -> None:
    """The fake server has no controller for them: be it."""
    path = path_of("StatefulSet", namespace)
    for thing in server.admin.must("GET", path)["items"]:
        count, generation = thing["spec"]["replicas"], thing["metadata"]["generation"]
        status = {"replicas": count, "readyReplicas": count, "observedGeneration": generation}
        name = thing["metadata"]["name"]
        server.admin.must("PATCH", f"{path}/{name}/status", {"status": status}, MERGE)


def test_sixty_workloads_go_to_zero_and_come_back_exactly(
    server: Server, namespace: str, world: KubernetesWorld
) -> None:
    fill(server, namespace)
    server.admin.must("POST", KINDS["NodePool"].api + "/nodeclaims", claim("nodepool-1"))
    sim = simulated(world, namespace)
    assert drive(server, sim, lambda: all(seen.ready for seen in world.observe().things.values()))
    evening = picture(server, namespace)
    sim.clock.at = at("2026-11-24 20:01")
    sim.look()
    assert drive(server, sim, lambda: phase(sim) == "asleep")
    night = picture(server, namespace)
    assert {name: each["spec"]["replicas"] for name, each in night.items() if "replicas" in each["spec"]} == {
        f"{kind}/{kind.lower()}-{number}": 0
        for kind in ("Deployment", "StatefulSet")
        for number in range(COUNTS[kind])
    }
    assert all(each["spec"]["suspend"] for name, each in night.items() if name.startswith("CronJob"))
    assert all(
        each["spec"]["limits"]["cpu"] == "0" for name, each in night.items() if name.startswith("NodePool")
    )
    assert server.admin.must("GET", KINDS["NodePool"].api + "/nodeclaims")["items"] == []
    pods = server.admin.must("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    assert [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]] == []
    sim.clock.at = at("2026-11-25 07:01")
    sim.look()
    assert drive(server, sim, lambda: phase(sim) == "awake")
    assert picture(server, namespace) == evening
    assert sim.store.record.notes == {}


def test_only_what_is_in_scope_is_touched(server: Server, namespace: str, world: KubernetesWorld) -> None:
    other = f"{namespace}-other"
    server.admin.must("POST", "/api/v1/namespaces", {"metadata": {"name": other}})
    for where, name, marks in (
        (namespace, "sleeps", {}),
        (namespace, "stays", {SLEEP_ANNOTATION: "never"}),
        (other, "elsewhere", {}),
        (other, "asked", {SLEEP_ANNOTATION: "yes"}),
    ):
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "annotations": marks},
            "spec": spec_of("Deployment", 2),
        }
        server.admin.must("POST", path_of("Deployment", where), body)
    sight = world.observe()
    mine = {key for key in sight.things if key not in sight.left_alone and namespace in key}
    assert mine == {f"Deployment/{namespace}/sleeps", f"Deployment/{other}/asked"}
    assert sight.left_alone[f"Deployment/{namespace}/stays"] == f"annotated {SLEEP_ANNOTATION}: never"


def test_a_write_over_somebody_elses_is_refused_and_looked_at_again(
    server: Server, namespace: str, world: KubernetesWorld
) -> None:
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api"},
        "spec": spec_of("Deployment", 2),
    }
    server.admin.must("POST", path_of("Deployment", namespace), body)
    key = f"Deployment/{namespace}/api"
    seen = world.observe().things[key]
    server.admin.must("PATCH", f"{path_of('Deployment', namespace)}/api", {"spec": {"replicas": 3}}, MERGE)
    with pytest.raises(Unavailable, match="changed by somebody else"):
        world.apply(CapacityAct(key, {"spec": {"replicas": 0}}, seen.version))
    now = world.observe().things[key]
    assert now.state == {"spec": {"replicas": 3}}
    assert now.writer


def test_the_role_can_do_nothing_else(server: Server, namespace: str, world: KubernetesWorld) -> None:
    api = world.workloads._api
    for method, path in (
        ("GET", f"/api/v1/namespaces/{namespace}/secrets"),
        ("DELETE", path_of("Deployment", namespace)),
        ("POST", path_of("Deployment", namespace)),
    ):
        assert api.request(method, path, subject="a try", body={} if method == "POST" else None).status == 403
    with pytest.raises(ClusterRefused):
        world.workloads.set(KINDS["Deployment"], f"{namespace}/none", {"spec": {"replicas": 0}}, "")


def claim(pool: str) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": "claim-1", "labels": {"karpenter.sh/nodepool": pool}},
        "spec": {},
    }


def simulated(world: KubernetesWorld, namespace: str) -> Simulation:
    """The real use cases over the cluster; time is simulated, the cluster is not."""
    clock = SimulatedClock(at("2026-11-24 19:00"))
    env = environment("staging", namespace=namespace)
    return Simulation("staging", catalog(env), clock, world, MemoryRecords())  # type: ignore[arg-type]


def drive(server: Server, sim: Simulation, done: Any) -> bool:
    """Let the machine take its steps; simulated time passes as fast as the cluster follows.

    Whether it came to what it should come to.
    """

    def step() -> bool:
        if server.kind != "real":
            play_stateful_sets(server, sim.world.namespace)
        for arn in list(sim.executions.due):
            sim.clock.at = max(sim.clock.at, min(sim.executions.due[arn], sim.clock.at + 2))
            if sim.executions.due[arn] <= sim.clock.at:
                sim.step(arn)
        return bool(done())

    came = until(step, bool)
    sim.clock.at += 5 * HOUR
    return came
