"""The cluster in virtual time: Pods that come, fail and go, and what the load balancer learns of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.release.manifests import render
from candlefish.release.model import Rollout
from candlefish.traffic.ports import RuleSpec, TargetGroupSpec
from lab.kube.kinds import POD
from lab.simulator.cluster import Cluster
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.pods import Pods
from lab.simulator.versions import Behaviour, Versions
from tests.support.kubernetes.samples import service, workload

SLOT = "api-blue"


class Site:
    """A service's slot on a cluster behind a load balancer."""

    def __init__(self, seed: int = 1) -> None:
        self.kernel = Kernel(seed)
        self.balancer = LoadBalancer(self.kernel)
        spec = TargetGroupSpec("api-blue", 8000, "vpc-1", "/health", {})
        self.group = self.balancer.ensure_target_group(spec)
        self.balancer.create_rule(
            self.balancer.listener, RuleSpec("api.example.org", {}), 1000, {self.group: 100}
        )
        self.versions = Versions()
        self.pods = Pods(self.kernel, self.versions.of_image, self.balancer)
        self.store = Cluster(self.kernel, self.pods, self.balancer.register)
        self.cluster = KubernetesCluster(self.store.api())

    def deploy(self, name: str, behaviour: str | Behaviour = "good", ready_within: float = 60) -> None:
        digest = self.versions.register("api", name, behaviour).digest
        image = f"registry.example/api:{name}@{digest}"
        wanted = workload("default", name, ready_within=ready_within, target_group=self.group)
        self.cluster.apply(render(msgspec.structs.replace(wanted, image=image)), generation=1)

    def rollout(self) -> Rollout:
        return self.cluster.rollout("default", SLOT)

    def settle(self, status: str, within: float = 300) -> Rollout:
        until = self.kernel.now() + within
        while self.rollout().status != status and self.kernel.now() < until:
            self.kernel.sleep(1)
        seen = self.rollout()
        assert seen.status == status, seen
        return seen

    def story(self) -> list[Any]:
        return [
            (pod["metadata"]["name"], pod["metadata"]["uid"], pod["spec"].get("nodeName"), pod.get("status"))
            for pod in self.store.store.list(POD)
        ]


def test_ready_pods_become_healthy_targets_and_leave_before_they_end() -> None:
    site = Site()
    site.deploy("v1")
    site.settle("ready")
    site.kernel.sleep(15)
    assert site.balancer.health(site.group).healthy == 2
    addresses = [host for host, _ in site.balancer.groups[site.group].registered()]
    site.cluster.retire("default", SLOT, 1)
    site.kernel.sleep(3)
    assert site.balancer.health(site.group).draining == 2
    # The hook that holds a Pod back until every node of the load balancer knows.
    assert all(site.pods.at(host) for host in addresses)
    site.kernel.sleep(120)
    assert site.store.store.list(POD) == [] and not any(site.pods.at(host) for host in addresses)


@pytest.mark.parametrize(
    ("behaviour", "status", "words"),
    [
        ("unpullable", "failed", "ImagePullBackOff"),
        ("crash", "failed", "exit code 1"),
        ("never-ready", "failed", "is not ready"),
        ("unschedulable", "failed", "Insufficient cpu"),
    ],
)
def test_versions_fail_as_versions_do(behaviour: str, status: str, words: str) -> None:
    site = Site()
    site.deploy("v1", behaviour)
    assert words in site.settle(status).reason


def test_a_version_that_crashes_late_comes_back_with_ever_longer_pauses() -> None:
    site = Site()
    site.deploy("v1", Behaviour(crash_after=30.0))
    site.settle("ready")
    (first, *_), restarts = site.store.store.list(POD), []
    for _ in range(20):
        site.kernel.sleep(30)
        found = site.store.store.get(POD, "default", first["metadata"]["name"])
        assert found
        restarts.append(found["status"]["containerStatuses"][0]["restartCount"])
    assert restarts == sorted(restarts) and 3 <= restarts[-1] <= 9


def test_a_cluster_at_rest_has_nothing_due() -> None:
    site = Site()
    site.deploy("v1")
    site.settle("ready")
    site.kernel.sleep(700)
    assert site.kernel.next_at() is None


def test_an_image_that_nobody_registered_cannot_be_pulled() -> None:
    site = Site()
    site.cluster.apply(render(workload("default", "unknown", service=service())), generation=1)
    assert "ImagePullBackOff" in site.settle("failed").reason


def test_the_same_seed_gives_the_same_names_and_times() -> None:
    stories = []
    for seed in (7, 7, 8):
        site = Site(seed)
        site.deploy("v1")
        site.settle("ready")
        stories.append(site.story())
    assert stories[0] == stories[1] != stories[2]
