"""What an environment stands on: load balancer, cluster, nodes, databases; and the ports to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from candlefish.adapters.aws.cloudwatch_metrics import CloudWatchWindows
from candlefish.adapters.aws.custom_metrics import CustomMetricWindows
from candlefish.adapters.kubernetes.cluster import KubernetesCluster, runner
from candlefish.adapters.kubernetes.messages import MERGE
from candlefish.adapters.kubernetes.shares import ShareOfPods
from candlefish.adapters.kubernetes.workloads import Workloads
from candlefish.capacity.world import WholeEnvironment
from candlefish.catalog.model import Environment
from candlefish.release.manifests.model import IMAGE_NOTE
from candlefish.release.model import Running
from candlefish.release.running import running_of
from candlefish.traffic.movers import Movers
from lab.kube.cluster import apply_all
from lab.kube.kinds import AUTOSCALER, DEPLOYMENT, NODE, POD, STATEFUL_SET
from lab.kube.nodegroups import fit_nodes
from lab.kube.pod_security import guarded
from lab.memory.failover.edges import MemoryDnsRecords
from lab.memory.failover.ports import region_ports
from lab.memory.failover.regions import Regions
from lab.memory.failover.site import MemoryNodeGroups, MemoryRoutes
from lab.memory.restores import MemoryInspector, MemoryRestores
from lab.simulator.alarms import Alarms
from lab.simulator.cluster import Cluster
from lab.simulator.front_door import FrontDoor
from lab.simulator.infrastructure import SimulatedDatabases, SimulatedNodegroups
from lab.simulator.jobs import Jobs
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.metrics import Lateness, Metrics
from lab.simulator.pods import Pods
from lab.simulator.traffic import Traffic
from lab.simulator.versions import Versions

# What a failover asks of each region.
REGIONAL = ("databases", "caches", "secrets", "probe")
# The nodegroup that every environment has: minimum, desired and maximum size.
SIZES = (1, 3, 6)


class Ground:
    """An environment's own world, in which nothing is deployed yet."""

    def __init__(
        self,
        kernel: Kernel,
        declared: Environment,
        listeners: Sequence[str],
        publish: Callable[[dict[str, Any]], None],
        give_way: Callable[[], None],
        lateness: Lateness | None = None,
    ) -> None:
        self._give_way = give_way
        self._kernel = kernel
        self.name, self.namespace = declared.name, declared.namespace
        self.versions = Versions()
        self.balancer = LoadBalancer(
            kernel, region=declared.region, account=declared.account, listeners=listeners
        )
        self.pods = Pods(kernel, self.versions.of_image, self.balancer)
        self.cluster = Cluster(
            kernel,
            self.pods,
            self.balancer.register,
            namespaces=(declared.namespace,),
            name=declared.cluster,
        )
        apply_all(self.cluster.writes, [guarded(declared.namespace)])
        self.metrics = Metrics(kernel, self.balancer, lateness)
        self.jobs = Jobs(kernel, self.cluster.store, self.pods, declared.namespace)
        self.metrics.custom = self.jobs.custom
        self.traffic = Traffic(kernel, self.balancer, self.pods, self.metrics)
        self.alarms = Alarms(
            kernel,
            self.balancer,
            self.metrics,
            self.traffic,
            publish,
            region=declared.region,
            account=declared.account,
        )
        for node in self.cluster.store.list(NODE):
            self.cluster.store.remove(NODE, node)
        self.regions = Regions(
            declared, kernel.now, lambda seconds, do: kernel.later(seconds, do, "failover")
        )
        self._declared = declared
        names = [each.identifier for each in declared.databases]
        self.restores = MemoryRestores(kernel.now, lambda s, do: kernel.later(s, do, "restore"), *names)
        for name in names:
            self.restores.take(name)
        self.nodegroups = SimulatedNodegroups(kernel, partial(fit_nodes, self.cluster.writes))
        self.nodegroups.add("default", *SIZES)
        self.databases = SimulatedDatabases(kernel, [each.identifier for each in declared.databases])

    def ports(self) -> dict[str, Any]:
        """The ports to it, by name; the adapters of Kubernetes are the product's own."""
        # For what takes several requests: the others may go on before each.
        api = self.cluster.api(before=self._give_way)
        cluster = KubernetesCluster(api)
        shares = ShareOfPods(cluster, api)
        return {
            "balancer": self.balancer,
            "rules": Movers(self.balancer, lambda: shares),
            "shares": shares,
            "alarms": self.alarms,
            "dns": MemoryDnsRecords(self.regions),
            "nodes": MemoryNodeGroups(self.regions, self._declared.region),
            "routes": MemoryRoutes(self.regions, self._declared.region, "balancer"),
            "restores": self.restores,
            "inspector": MemoryInspector(self._restored),
            **self._regional(),
            "web": FrontDoor(self._kernel, self.balancer, self.pods),
            "windows": CloudWatchWindows(self.metrics),
            "own_windows": self.jobs,
            "custom_windows": CustomMetricWindows(self.metrics),
            "cluster": cluster,
            "world": WholeEnvironment(
                Workloads(lambda: api, self.namespace),
                self.nodegroups,
                self.databases,
                self.namespace,
                self.name,
            ),
        }

    def _restored(self) -> dict[str, Any]:
        """What is found in a restored database: the newest heartbeat before its snapshot, and rows."""
        newest = max(each.at for taken in self.restores.snapshots.values() for each in taken)
        return {"beat_at": newest - 30.0, "beats": 5, "tables": 3, "rows": 70}

    def _regional(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for region in regions_of(self._declared):
            ports = region_ports(self.regions, region)
            found |= {f"{name}/{region}": getattr(ports, name) for name in REGIONAL}
        return found

    def _runner(self, name: str) -> Any:
        """What runs under a slot's name, as the `Cluster` port calls it; a StatefulSet where it is that slot's."""
        here = runner(self.namespace, name)
        kind = STATEFUL_SET if here.stateful else DEPLOYMENT
        found = self.cluster.store.get(kind, self.namespace, here.called.name)
        return found if found is not None and here.means(found) else None

    def replicas(self, name: str) -> int:
        """How many Pods a slot asks for; 0 when nothing runs there."""
        found = self._runner(name)
        return 0 if found is None else int(found["spec"].get("replicas", 1))

    def deployed(self, name: str) -> str:
        """The image that was deployed last under a slot's name, as its Deployment says; empty when it does not."""
        found = self._runner(name)
        return "" if found is None else (found["metadata"].get("annotations") or {}).get(IMAGE_NOTE, "")

    def running(self, name: str) -> Running | None:
        """What a slot's Deployment says that it runs."""
        found = self._runner(name)
        autoscaled = self.cluster.store.get(AUTOSCALER, self.namespace, name) is not None
        return None if found is None else running_of(found, autoscaled=autoscaled)

    def scale(self, name: str, replicas: int) -> None:
        """Somebody asks for a number of Pods, as `kubectl scale` does."""
        here, body = runner(self.namespace, name), {"spec": {"replicas": replicas}}
        self.cluster.api().request(
            "PATCH", f"{here.path}/scale", subject=here.subject, body=body, content_type=MERGE
        )

    def set_image(self, name: str, image: str) -> None:
        """Somebody sets another image, as `kubectl set image` does."""
        found = self._runner(name)
        if found is None:
            return
        containers = [{**each, "image": image} for each in found["spec"]["template"]["spec"]["containers"]]
        body = {"spec": {"template": {"spec": {"containers": containers}}}}
        here = runner(self.namespace, name)
        self.cluster.api().request("PATCH", here.path, subject=here.subject, body=body, content_type=MERGE)

    def delete_autoscaler(self, name: str) -> None:
        """Somebody deletes an autoscaler, as `kubectl delete hpa` does."""
        path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/{name}"
        self.cluster.api().request("DELETE", path, subject=f"HorizontalPodAutoscaler {name}")

    def pods_of(self, name: str) -> list[str]:
        """The names of a Deployment's Pods."""
        names = [pod["metadata"]["name"] for pod in self.cluster.store.list(POD, self.namespace)]
        return [each for each in names if each.startswith(f"{runner(self.namespace, name).called.name}-")]

    def lose_pods(self, name: str, count: int) -> None:
        """Take Pods of a Deployment away at once, as a lost node does."""
        for pod in self.pods_of(name)[:count]:
            path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}"
            self.cluster.api().request("DELETE", path, subject=f"Pod {pod}")


def regions_of(declared: Environment) -> tuple[str, ...]:
    """Every region that the environment's databases and caches are in."""
    replicas = [each.replica.region for each in declared.databases if each.replica]
    return tuple(dict.fromkeys([*declared.regions, *replicas]))
