"""A service on the simulator: its slots on a cluster behind a load balancer, with traffic, metrics and alarms."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec

from candlefish.adapters.aws.cloudwatch_metrics import CloudWatchWindows
from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.analysis.model import MetricTarget
from candlefish.catalog.model import Service
from candlefish.release.manifests import render
from candlefish.release.onboard import onboard
from candlefish.service.model import Slot
from candlefish.service.record import ServiceRecord
from candlefish.signals.alarms import alarms_of, balancer_alarms
from candlefish.traffic.fittings import FittingPlace
from lab.memory.service import MemoryRecords
from lab.simulator.alarms import Alarms
from lab.simulator.cluster import Cluster
from lab.simulator.front_door import FrontDoor
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.metrics import ON_TIME, Lateness, Metrics
from lab.simulator.pods import Pods
from lab.simulator.traffic import Rate, Traffic
from lab.simulator.versions import Behaviour, Versions
from tests.support.catalogs import catalog
from tests.support.kubernetes.samples import service, workload
from tests.support.traffic import NoShares

CATALOG = catalog()
# On the hour.
START = 1_800_000_000.0


class SimulatedSite:
    """One onboarded service in production; blue has all the weight."""

    def __init__(self, seed: int = 1, lateness: Lateness = ON_TIME) -> None:
        self.kernel = Kernel(seed, START)
        self.balancer = LoadBalancer(self.kernel)
        self.versions = Versions()
        self.pods = Pods(self.kernel, self.versions.of_image, self.balancer)
        self.apps = Cluster(self.kernel, self.pods, self.balancer.register)
        self.cluster = KubernetesCluster(self.apps.api())
        self.record: ServiceRecord = onboard(
            "backend-api",
            catalog=CATALOG,
            environment=CATALOG.environments["production"],
            place=FittingPlace(self.balancer.listeners, "vpc-1", interval=10, deregistration_delay=30),
            shares=NoShares(),
            balancer=self.balancer,
            rules=self.balancer,
            records=MemoryRecords(),
            cluster=self.cluster,
            now=self.kernel.now,
        )
        self.service: Service = CATALOG.services["backend-api"]
        self.metrics = Metrics(self.kernel, self.balancer, lateness)
        self.traffic = Traffic(self.kernel, self.balancer, self.pods, self.metrics)
        self.events: list[dict[str, Any]] = []
        self.alarms = Alarms(self.kernel, self.balancer, self.metrics, self.traffic, self.events.append)
        self.door = FrontDoor(self.kernel, self.balancer, self.pods)
        self.windows = CloudWatchWindows(self.metrics)

    def group(self, slot: Slot) -> str:
        return self.record.slots[slot].target_group

    def deploy(self, slot: Slot, behaviour: str | Behaviour = "good", pods: int = 2) -> None:
        """Bring a version to a slot and wait until its targets are healthy, or three minutes."""
        name = f"{slot}-{self.kernel.now():.0f}"
        digest = self.versions.register("api", name, behaviour).digest
        wanted = workload("default", name, service=service(), target_group=self.group(slot))
        image = f"registry.example/api:{name}@{digest}"
        made = msgspec.structs.replace(wanted, image=image, slot=slot)
        self.cluster.apply(render(made), generation=made.generation)
        self.cluster.raise_to("default", f"api-{slot}", pods, generation=made.generation)
        for _ in range(180):
            self.kernel.sleep(1)
            if self.balancer.health(self.group(slot)).healthy == pods:
                return

    def shift(self, green: int) -> None:
        weights = {self.group("blue"): 100 - green, self.group("green"): green}
        self.balancer.write(self.record.rule, weights)

    def send(self, rate: Rate | float) -> Any:
        """Let requests come; what counts them."""
        return self.traffic.add(self.record.rule, rate if callable(rate) else lambda at: rate)

    def watch(self) -> None:
        """Make the alarms of a service whose slots both have users, and are on trial, and of its load balancer."""
        slots = {
            "blue": msgspec.structs.replace(self.record.slots["blue"], state="stable"),
            "green": msgspec.structs.replace(self.record.slots["green"], state="candidate"),
        }
        record = msgspec.structs.replace(
            self.record,
            stable="blue",
            slots=slots,
            desired={"blue": 50, "green": 50},
            window_until=float("inf"),
        )
        balancers = balancer_alarms(record.environment, [record.load_balancer])
        for alarm in (*alarms_of(record, self.kernel.now()), *balancers):
            self.alarms.put(alarm)

    def changes(self) -> list[tuple[str, str]]:
        """What alarms told, in order: the last words of the name, and the new state."""
        prefix = "candlefish/production/backend-api/"
        return [
            (each["detail"]["alarmName"].removeprefix(prefix), each["detail"]["state"]["value"])
            for each in self.events
        ]

    def moments(self) -> list[tuple[str, str, float]]:
        """The same, with when it was told, epoch seconds."""
        times = [
            datetime.fromisoformat(each["detail"]["state"]["timestamp"]).timestamp() for each in self.events
        ]
        return [(*change, at) for change, at in zip(self.changes(), times, strict=True)]

    def target(self, settle: float = 60.0) -> MetricTarget:
        def dimension(slot: Slot) -> str:
            return self.group(slot).rpartition(":")[2]

        return MetricTarget(
            "production",
            "backend-api",
            self.balancer.dimension,
            "blue",
            "green",
            dimension("blue"),
            dimension("green"),
            settle=settle,
        )

    def story(self) -> str:
        """Everything that was counted, as text."""
        counted = {
            slot: {
                minute: msgspec.to_builtins(counts, str_keys=True)
                for minute, counts in self.metrics.known(self.group(slot)).items()
            }
            for slot in ("blue", "green")
        }
        return json.dumps([counted, self.changes(), self.balancer.dimension])
