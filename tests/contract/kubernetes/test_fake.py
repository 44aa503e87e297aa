"""What only the fake has: faults on request, target groups, Pods that drain, and a clock one can shorten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from candlefish.adapters.kubernetes.cluster import KubernetesCluster, connect_cluster
from candlefish.errors import Throttled, Unavailable
from candlefish.release.manifests import render
from lab.faults import Fault, Faults
from lab.kube import FakeCluster, NullRuntime, PodState
from lab.kube.kinds import POD
from lab.kube.runtime import Object
from tests.support.kubernetes.rest import Rest
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import until

pytestmark = pytest.mark.enable_socket

NAMESPACE = "lab"
Make = Callable[..., "Lab"]


class Groups:
    """A registrar that remembers, and fails when told to."""

    def __init__(self) -> None:
        self.targets: dict[str, frozenset[tuple[str, int]]] = {}
        self.failures = 0

    def __call__(self, target_group: str, targets: frozenset[tuple[str, int]]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the load balancer does not answer")
        self.targets[target_group] = targets


class Stubborn(NullRuntime):
    """Pods whose process ends only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.asked: list[float] = []

    def stop(self, pod: Object, grace_seconds: float) -> None:
        self.asked.append(grace_seconds)
        if self.let_go.is_set():
            super().stop(pod, grace_seconds)

    def stopped(self, pod: Object) -> bool:
        if self.let_go.is_set():
            super().stop(pod, 0)
        return super().stopped(pod)


class Lab:
    """A fake cluster with what a test watches."""

    def __init__(self, runtime: NullRuntime, time_scale: float) -> None:
        self.faults, self.groups = Faults(), Groups()
        self.fake = FakeCluster(
            runtime,
            self.groups,
            namespaces=(NAMESPACE,),
            faults=partial(self.faults.take, "kubernetes"),
            time_scale=time_scale,
        )
        self.fake.start()
        self.slept: list[float] = []
        self.cluster: KubernetesCluster = connect_cluster(
            self.fake.endpoint, self.fake.ca_pem, self._token, sleep=self.slept.append
        )
        self.admin = Rest(self.fake.endpoint, self.fake.ca_pem, self.fake.admin_token)
        self.slot = workload(NAMESPACE)

    def _token(self, *, fresh: bool = False) -> str:
        return self.fake.admin_token

    def targets(self) -> frozenset[tuple[str, int]]:
        return self.groups.targets.get(self.slot.target_group, frozenset())

    def up(self) -> None:
        """Bring the slot up, and wait until its targets are registered."""
        self.cluster.apply(render(self.slot), generation=1)
        assert len(until(self.targets, lambda targets: len(targets) == 2)) == 2


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Lab] = []

    def one(runtime: NullRuntime | None = None, *, time_scale: float = 0.0) -> Lab:
        made.append(Lab(runtime or NullRuntime(), time_scale))
        return made[-1]

    yield one
    for each in made:
        each.fake.stop()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "lost_answer"},
        {"kind": "throttle"},
        {"kind": "error", "status": 503},
        {"kind": "latency", "seconds": 0.05},
        {"kind": "timeout", "seconds": 0.05},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_fault_that_passes_is_not_noticed(make: Make, fault: dict[str, object]) -> None:
    lab = make()
    lab.faults.add(Fault(boundary="kubernetes", service="deployments", operation="patch", **fault))  # type: ignore[arg-type]
    lab.cluster.apply(render(lab.slot), generation=1)
    assert lab.cluster.current_replicas(NAMESPACE, "api-blue") >= 1
    assert [each.hits for each in lab.faults.list()] == [1]


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", Unavailable), ("throttle", Throttled), ("error", Unavailable)]
)
def test_a_fault_that_stays_is_an_error_and_the_cluster_is_as_it_was(
    make: Make, kind: str, error: type[Exception]
) -> None:
    lab = make()
    lab.faults.add(Fault(boundary="kubernetes", kind=kind, service="horizontalpodautoscalers", count=None))  # type: ignore[arg-type]
    with pytest.raises(error, match="HorizontalPodAutoscaler api-blue"):
        lab.cluster.apply(render(lab.slot), generation=1)
    # The rehearsal failed, so nothing was applied.
    assert lab.cluster.current_replicas(NAMESPACE, "api-blue") == 0


def test_an_api_that_is_gone_is_unavailable(make: Make) -> None:
    lab = make()
    assert lab.cluster.current_replicas(NAMESPACE, "api-blue") == 0
    lab.fake.stop()
    with pytest.raises(Unavailable, match="did not answer"):
        lab.cluster.current_replicas(NAMESPACE, "api-blue")


def test_another_clusters_certificate_is_not_trusted(make: Make) -> None:
    lab, other = make(), make()
    stranger = connect_cluster(lab.fake.endpoint, other.fake.ca_pem, lab._token, sleep=lambda seconds: None)
    with pytest.raises(Unavailable, match="SSL"):
        stranger.current_replicas(NAMESPACE, "api-blue")


def test_ready_pods_are_targets_on_the_containers_port(make: Make) -> None:
    lab = make()
    lab.up()
    pods = lab.fake.store.list(POD)
    assert lab.targets() == {(pod["status"]["podIP"], 8000) for pod in pods}


def test_targets_that_could_not_be_registered_are_tried_again(make: Make) -> None:
    lab = make()
    lab.groups.failures = 2
    lab.up()


def test_a_pod_leaves_the_target_group_at_once_and_serves_until_it_is_drained(make: Make) -> None:
    runtime = Stubborn()
    lab = make(runtime, time_scale=0.02)
    lab.up()
    lab.cluster.retire(NAMESPACE, "api-blue", 1)
    assert until(lab.targets, lambda targets: not targets) == frozenset()
    # Its preStop runs: nobody asked the process to end yet, and the Pod is still there.
    assert len(lab.fake.store.list(POD)) == 2
    until(lambda: len(runtime.asked), lambda asked: asked >= 2)
    # 60 seconds of grace less 30 of preStop, at a fiftieth.
    assert runtime.asked[0] == pytest.approx(0.6)
    time.sleep(0.2)
    assert len(lab.fake.store.list(POD)) == 2
    runtime.let_go.set()
    assert until(lambda: lab.fake.store.list(POD), lambda pods: not pods) == []


def test_an_update_in_place_never_has_fewer_targets_than_pods_asked_for(make: Make) -> None:
    lab = make()
    lab.up()
    seen: list[int] = []
    watching = threading.Event()

    def watch() -> None:
        while not watching.is_set():
            seen.append(len(lab.targets()))
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    lab.cluster.apply(render(workload(NAMESPACE, "v2")), generation=1)
    done = until(lambda: lab.cluster.rollout(NAMESPACE, "api-blue"), lambda seen: seen.status == "ready")
    watching.set()
    watcher.join()
    assert done.status == "ready"
    assert min(seen) >= 2


def test_a_pod_that_stops_being_ready_stops_being_a_target(make: Make) -> None:
    class Flaky(NullRuntime):
        sick = False

        def ready(self, pod: Object) -> bool:
            return not self.sick and super().ready(pod)

    runtime = Flaky()
    lab = make(runtime)
    lab.up()
    runtime.sick = True
    assert until(lab.targets, lambda targets: not targets) == frozenset()
    assert lab.cluster.rollout(NAMESPACE, "api-blue").ready == 0


def test_a_crash_after_a_good_start_is_seen(make: Make) -> None:
    class Crashing(NullRuntime):
        crashed = False

        def ready(self, pod: Object) -> bool:
            return not self.crashed and super().ready(pod)

        def state(self, pod: Object) -> PodState:
            down = PodState(waiting="CrashLoopBackOff", restarts=3, exit_code=139)
            return down if self.crashed else super().state(pod)

    runtime = Crashing()
    lab = make(runtime)
    lab.up()
    runtime.crashed = True
    seen = until(lambda: lab.cluster.rollout(NAMESPACE, "api-blue"), lambda seen: seen.status == "failed")
    assert "exit code 139: it broke at an invalid address; 3 restarts" in seen.reason


def test_a_job_runs_to_its_end(make: Make) -> None:
    lab = make()
    for image, wanted in (("registry.example/job:v1", "Complete"), ("registry.example/job:fail", "Failed")):
        name = wanted.lower()
        body = {
            "metadata": {"name": name},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}
                },
            },
        }
        path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
        lab.admin.must("POST", path, body)
        done = until(
            lambda path=f"{path}/{name}": lab.admin.must("GET", path).get("status", {}).get("conditions", []),  # type: ignore[misc]
            lambda conditions: bool(conditions),
        )
        assert done[0]["type"] == wanted


def test_a_stateful_set_has_numbered_pods(make: Make) -> None:
    lab = make()
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "db:1"}]}}
    body = {
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 2,
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets"
    lab.admin.must("POST", path, body)

    def ready() -> int:
        return int(lab.admin.must("GET", f"{path}/db").get("status", {}).get("readyReplicas", 0))

    assert until(ready, lambda number: number == 2) == 2
    assert [pod["metadata"]["name"] for pod in lab.fake.store.list(POD)] == ["db-0", "db-1"]
    scale = {"spec": {"replicas": 0}}
    lab.admin.must("PATCH", f"{path}/db/scale", scale, "application/merge-patch+json")
    assert until(lambda: lab.fake.store.list(POD), lambda pods: not pods) == []
