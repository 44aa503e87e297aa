"""Work that no load balancer hands out: a worker's jobs, and requests inside the cluster, as Prometheus counts them.

Workers publish the same to CloudWatch, minute by minute: metrics Jobs and Failed, by Service and Slot.

Jobs come at a rate and are shared evenly among the Pods that can take them: a worker's that are ready, or those of a
service in the cluster that its Service selects.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from candlefish.analysis.model import Arm, MetricTarget, Survey, Window
from candlefish.release.manifests.model import SERVICE_LABEL, SLOT_LABEL
from candlefish.service.model import SLOTS
from lab.kube.kinds import POD, SERVICE
from lab.kube.store import Store
from lab.simulator.kernel import Kernel
from lab.simulator.pods import Pods
from lab.simulator.versions import shares

# Where workers publish what they did.
NAMESPACE = "Work"
# How often work is handed out, in seconds, and how much of it a second.
TICK = 5.0
RATE = 20


class Handed(NamedTuple):
    """What one slot of a service worked on at one moment."""

    at: float
    jobs: int
    failed: int
    slow: int


class Jobs:
    """`analysis.ports.WindowSource` of services without a load balancer."""

    def __init__(self, kernel: Kernel, store: Store, pods: Pods, namespace: str) -> None:
        self._kernel, self._store, self._pods, self._namespace = kernel, store, pods, namespace
        self._chance = kernel.chance("jobs")
        # By service and slot, by the number of the tick.
        self._handed: dict[tuple[str, str], dict[int, Handed]] = defaultdict(dict)
        # Jobs that nobody could take when they came, by service.
        self.waited: dict[str, int] = {}

    def add(self, service: str, every: float = TICK) -> None:
        """Let work for a service come from now on, so often; seconds, at least `TICK`."""
        self.waited[service] = 0
        self._kernel.every(every, lambda: self._hand_out(service, every), f"jobs of {service}")

    def working(self, service: str) -> dict[str, int]:
        """How many Pods of each slot take work now."""
        found = self._takers(service)
        return {slot: len(found[slot]) for slot in SLOTS}

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        start = math.ceil(since / target.window) * target.window
        found = []
        while start + target.window + target.settle <= until:
            end = start + target.window
            baseline = self._arm(target.service, target.baseline_slot, start, end)
            canary = self._arm(target.service, target.canary_slot, start, end)
            found.append(Window(start, end, baseline, canary, source="prometheus"))
            start += target.window
        return found

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        return Survey(reported=("errors", "slow"))

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        return None

    def custom(self, metric: Mapping[str, Any], start: float, end: float) -> float | None:
        """What a service's Pods published of a metric; zeros of failures too, and nothing where none of them worked."""
        where = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
        if metric["Namespace"] != NAMESPACE or where.keys() != {"Service", "Slot"}:
            return None
        arm = self._arm(where["Service"], where["Slot"], start, end)
        told = {"Jobs": arm.requests, "Failed": arm.errors}.get(metric["MetricName"])
        return float(told) if told is not None and arm.requests else None

    def _arm(self, service: str, slot: str, start: float, end: float) -> Arm:
        known = self._handed[service, slot]
        ticks = range(int(start // TICK), int(end // TICK))
        some = [each for tick in ticks if (each := known.get(tick)) and start <= each.at < end]
        return Arm(
            sum(each.jobs for each in some),
            sum(each.failed for each in some),
            sum(each.slow for each in some),
        )

    def _hand_out(self, service: str, every: float) -> None:
        takers = self._takers(service)
        total = sum(len(each) for each in takers.values())
        coming = round(RATE * every)
        if not total:
            self.waited[service] += coming
            return
        for slot in SLOTS:
            jobs = failed = slow = 0
            for bad, late in takers[slot]:
                mine = round(coming / total)
                jobs += mine
                failed += sum(self._chance.random() < bad for _ in range(mine))
                slow += sum(self._chance.random() < late for _ in range(mine))
            now = self._kernel.now()
            self._handed[service, slot][int(now // TICK)] = Handed(now, jobs, failed, slow)

    def _takers(self, service: str) -> dict[str, list[tuple[float, float]]]:
        """The Pods of each slot that take work now: which share of it fails, and which is slow."""
        found = self._store.get(SERVICE, self._namespace, service)
        spec = found["spec"] if found else {}
        selects = spec.get("selector") or {} if spec.get("clusterIP") != "None" else {SERVICE_LABEL: service}
        takers: dict[str, list[tuple[float, float]]] = {slot: [] for slot in SLOTS}
        for pod in self._store.list(POD, self._namespace):
            labels = pod["metadata"].get("labels") or {}
            process = self._pods.of(pod)
            if labels.get(SERVICE_LABEL) != service or process is None or not process.ready:
                continue
            if process.told or pod["metadata"].get("deletionTimestamp"):
                continue
            if process.listens is None or process.behaviour is None or not selects.items() <= labels.items():
                continue
            bad, late, lost = shares(process.behaviour, self._kernel.now() - process.listens)
            takers[labels[SLOT_LABEL]].append((min(1.0, bad + lost), late))
        return takers
