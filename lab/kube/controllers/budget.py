"""PodDisruptionBudgets: how many Pods may be evicted now."""

from __future__ import annotations

from lab.kube.controllers.objects import Settled, is_active, is_ready, portion
from lab.kube.kinds import BUDGET, POD
from lab.kube.selectors import matches
from lab.kube.writes import Writes


def sync(writes: Writes, settled: Settled) -> None:
    """Report every budget's state."""
    active, every = [pod for pod in writes.store.list(POD) if is_active(pod)], writes.store.list(BUDGET)
    settled.keep(every)
    for each in every:
        spec, namespace = each["spec"], each["metadata"]["namespace"]
        pods = [
            pod
            for pod in active
            if pod["metadata"]["namespace"] == namespace
            and matches(spec.get("selector"), pod["metadata"].get("labels") or {})
        ]
        if settled.has(each, *pods):
            continue
        expected, healthy = len(pods), sum(map(is_ready, pods))
        if "maxUnavailable" in spec:
            needed = max(0, expected - portion(spec["maxUnavailable"], expected, up=True))
        else:
            needed = portion(spec.get("minAvailable", 1), expected, up=True)
        status = {
            "expectedPods": expected,
            "currentHealthy": healthy,
            "desiredHealthy": needed,
            "disruptionsAllowed": max(0, healthy - needed) if expected else 0,
            "observedGeneration": each["metadata"]["generation"],
        }
        writes.set_status(BUDGET, each, status)
