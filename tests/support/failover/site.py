"""The application's site in the simulated world: the real use case over the release engine's fakes,
with Pods that take time to become ready and an executor that can die at each call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from candlefish.catalog.model import Catalog
from candlefish.errors import ClusterRefused
from candlefish.failover.ports import SitePorts
from candlefish.release.model import Manifest, Rollout
from candlefish.service.model import Version
from candlefish.service.record import ServiceRecord, new_record
from candlefish.traffic.ports import TargetHealth
from lab.memory.failover.site import MemoryNodeGroups, MemoryRoutes
from lab.memory.release import MemoryBundles
from lab.memory.service import MemoryRecords, MemoryStableVersions
from tests.support.cluster import FakeCluster
from tests.support.failover.catalog import AWAY, CATALOG
from tests.support.failover.world import World
from tests.support.service import image
from tests.support.traffic import FakeRules

T = TypeVar("T")
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


class Pods(FakeCluster):
    """A cluster of the recovery region whose Pods take the world's time to become ready."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.applied: dict[str, str] = {}
        self.ready_at: dict[str, float] = {}
        self.broken: set[str] = set()

    def _call(self, act: Callable[[], T]) -> T:
        return self.world.call(AWAY, act)

    def apply(
        self,
        objects: Sequence[Manifest],
        *,
        generation: int,
        force: bool = False,
        resting: bool = False,
        again: bool = False,
    ) -> tuple[str, ...]:
        def act() -> tuple[str, ...]:
            changed = super(Pods, self).apply(
                objects, generation=generation, force=force, resting=resting, again=again
            )
            for each in objects:
                if each["kind"] == "Deployment":
                    container = each["spec"]["template"]["spec"]["containers"][0]
                    name = each["metadata"]["name"]
                    if self.applied.get(name) != container["image"]:
                        self.applied[name] = container["image"]
                        self.ready_at[name] = self.world.clock.at + self.world.work
            return changed

        return self._call(act)

    def rollout(self, namespace: str, name: str) -> Rollout:
        def look() -> Rollout:
            if name not in self.applied:
                raise ClusterRefused(f"there is no Deployment {name}")
            asked = self.replicas[name]
            if name in self.broken:
                return Rollout("failed", f"{name}: ImagePullBackOff", 0, asked)
            up = self.is_ready(name) and asked > 0
            return Rollout("ready" if up else "progressing", "Pods", asked if up else 0, asked)

        return self._call(look)

    def is_ready(self, name: str) -> bool:
        return name in self.applied and self.world.clock.at >= self.ready_at[name]

    def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
        return self._call(
            lambda: super(Pods, self).raise_to(namespace, name, replicas, generation=generation)
        )

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int, generation: int) -> None:
        bounds = partial(super().set_bounds, minimum=minimum, maximum=maximum, generation=generation)
        self._call(lambda: bounds(namespace, name))

    def current_replicas(self, namespace: str, name: str) -> int:
        return self._call(lambda: super(Pods, self).current_replicas(namespace, name))


class HealthyWhenReady(FakeRules):
    """Targets are healthy once the slot's Pods are ready."""

    def __init__(self, pods: Pods, *records: ServiceRecord) -> None:
        super().__init__(*records)
        self.pods = pods

    def health(self, target_group: str) -> TargetHealth:
        name = target_group.removeprefix("tg/")
        if self.pods.is_ready(name):
            return TargetHealth(healthy=self.pods.replicas[name])
        return TargetHealth(reason="Target.NotRegistered")


def with_site(world: World, catalog: Catalog = CATALOG) -> SitePorts:
    """Give a world a site in its recovery region."""
    pods = Pods(world)
    stable = MemoryStableVersions()
    for name in catalog.services:
        stable.write(name, version(name), world.clock())
    records = [first_record(name) for name in catalog.services]
    site = world.site = SitePorts(
        region=AWAY,
        balancer=BALANCER,
        records=MemoryRecords(*records),
        stable=stable,
        cluster=pods,
        bundles=MemoryBundles(),
        rules=HealthyWhenReady(pods, *records),
        nodes=MemoryNodeGroups(world, AWAY),
        routes=MemoryRoutes(world, AWAY, BALANCER, OLD_BALANCER),
    )
    return site


def site_end(site: Any) -> dict[str, Any]:
    """Where a site of fakes ended up, for comparison."""
    return {
        "records": {
            n: (r.stable, r.holder, r.desired, r.slots[r.stable].version) if r.stable else None
            for n, r in site.records.stored.items()
        },
        "rules": dict(site.rules.weights),
        "generations": {n: r.generation for n, r in site.records.stored.items()},
        "deployed_by": {
            name: each["metadata"]["annotations"]["candlefish.ai/generation"]
            for (kind, name), each in site.cluster.objects.items()
            if kind == "Deployment"
        },
        "applied": dict(site.cluster.applied),
        "asked": dict(site.cluster.replicas),
        "routes": dict(site.routes.led),
        "nodes": dict(site.nodes.groups),
    }
