"""The application's site in the simulated world: the real use case over the release engine's fakes,
with Pods that take time to become ready and an executor that can die at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from candlefish.catalog.model import Catalog
from candlefish.errors import ClusterRefused
from candlefish.failover.facts import NodeGroup
from candlefish.failover.ports import SitePorts
from candlefish.release.model import Manifest, Rollout
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord, new_record
from candlefish.traffic.ports import TargetHealth
from tests.support.failover import AWAY, CATALOG, World
from tests.support.fakes import FakeRecords, FakeRules, image

BALANCER = "lb.us-east-1.elb.example"
OLD_BALANCER = "lb.us-west-2.elb.example"


def version(service: str) -> Version:
    return Version(image(7).replace("backend-api", service), "7.0")


def first_record(service: str) -> ServiceRecord:
    return new_record(
        "production",
        service,
        rule=f"rule/{service}",
        smoke_rule=f"rule/{service}-smoke",
        smoke_token="s",
        target_groups={"blue": f"tg/{service}-blue", "green": f"tg/{service}-green"},
    )


class Pods:
    """`release.ports.Cluster` whose Pods take the world's time to become ready, and node groups, and DNS."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.applied: dict[str, str] = {}
        self.asked: dict[str, int] = {}
        self.ready_at: dict[str, float] = {}
        self.broken: set[str] = set()
        self.groups = {"general": (1, "ACTIVE")}
        self.routes: dict[str, str] = {}
        self.stable: dict[str, Version] = {}

    def _call(self, act: Callable[[], Any]) -> Any:
        return self.world.call(AWAY, act)

    def apply(self, objects: Sequence[Manifest], *, force: bool = False) -> None:
        def act() -> None:
            for each in objects:
                if each["kind"] == "Deployment":
                    container = each["spec"]["template"]["spec"]["containers"][0]
                    name = each["metadata"]["name"]
                    if self.applied.get(name) != container["image"]:
                        self.applied[name] = container["image"]
                        self.ready_at[name] = self.world.clock.now + self.world.work
                    self.asked.setdefault(name, 1)

        self._call(act)

    def rollout(self, namespace: str, name: str) -> Rollout:
        def look() -> Rollout:
            if name not in self.applied:
                raise ClusterRefused(f"there is no Deployment {name}")
            up = self.world.clock.now >= self.ready_at[name] and self.asked[name] > 0
            if name in self.broken:
                return Rollout("failed", f"{name}: ImagePullBackOff", 0, self.asked[name])
            return Rollout(
                "ready" if up else "progressing", "Pods", self.asked[name] if up else 0, self.asked[name]
            )

        result: Rollout = self._call(look)
        return result

    def raise_to(self, namespace: str, name: str, replicas: int) -> int:
        def act() -> int:
            self.asked[name] = max(self.asked.get(name, 0), replicas)
            return self.asked[name]

        result: int = self._call(act)
        return result

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int) -> None:
        self._call(lambda: None)

    def current_replicas(self, namespace: str, name: str) -> int:
        result: int = self._call(lambda: self.asked.get(name, 0))
        return result

    # --- node groups, routes, stable versions

    def read_nodes(self, wanted: Mapping[str, int]) -> dict[str, NodeGroup]:
        return {n: NodeGroup(n, self.groups[n][0], needed, self.groups[n][1]) for n, needed in wanted.items()}

    def raise_nodes(self, name: str, nodes: int) -> None:
        def act() -> None:
            self.groups[name] = (nodes, "UPDATING")
            self.world.clock.later(self.world.work, lambda: self.groups.update({name: (nodes, "ACTIVE")}))

        self._call(act)


class Nodes:
    def __init__(self, pods: Pods) -> None:
        self.read, self.raise_to = pods.read_nodes, pods.raise_nodes


class SimRoutes:
    def __init__(self, pods: Pods) -> None:
        self.pods = pods

    def read(self, hosts: Sequence[str]) -> dict[str, str]:
        result: dict[str, str] = self.pods._call(
            lambda: {h: self.pods.routes.get(h, OLD_BALANCER) for h in hosts}
        )
        return result

    def lead(self, hosts: Sequence[str]) -> None:
        self.pods._call(lambda: self.pods.routes.update(dict.fromkeys(hosts, BALANCER)))


class SimStable:
    def __init__(self, pods: Pods) -> None:
        self.pods = pods

    def read(self, service: str) -> Version | None:
        return self.pods.stable.get(service)

    def write(self, service: str, version: Version, at: float) -> None:
        self.pods.stable[service] = version


class HealthyWhenReady(FakeRules):
    """Targets are healthy once the slot's Pods are ready."""

    def __init__(self, pods: Pods, *records: ServiceRecord) -> None:
        super().__init__(*records)
        self.pods = pods

    def health(self, target_group: str) -> TargetHealth:
        name = target_group.removeprefix("tg/")
        if name in self.pods.applied and self.pods.world.clock.now >= self.pods.ready_at[name]:
            return TargetHealth(healthy=self.pods.asked[name])
        return TargetHealth(reason="Target.NotRegistered")


def with_site(world: World, catalog: Catalog = CATALOG) -> Pods:
    """Give a world a site in its recovery region."""
    pods = Pods(world)
    for name in catalog.services:
        pods.stable[name] = version(name)
    records = [first_record(name) for name in catalog.services]
    world.site = SitePorts(
        region=AWAY,
        balancer=BALANCER,
        records=FakeRecords(*records),
        stable=SimStable(pods),
        cluster=pods,  # type: ignore[arg-type]
        bundles=None,  # type: ignore[arg-type]
        rules=HealthyWhenReady(pods, *records),
        nodes=Nodes(pods),
        routes=SimRoutes(pods),
    )
    return pods


def site_end(world: World, pods: Pods) -> dict[str, Any]:
    """Where the site ended up, for comparison."""
    records = world.site.records.stored
    return {
        "records": {
            n: (r.stable, r.holder, r.desired, r.slots[r.stable].version) if r.stable else None
            for n, r in records.items()
        },
        "rules": dict(world.site.rules.weights),
        "applied": dict(pods.applied),
        "asked": dict(pods.asked),
        "routes": dict(pods.routes),
        "nodes": dict(pods.groups),
    }


__all__ = ["BALANCER", "Pods", "site_end", "version", "with_site"]
