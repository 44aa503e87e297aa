"""PodDisruptionBudgets: how many Pods may be evicted now."""

from __future__ import annotations

from lab.kube.controllers.objects import is_active, is_ready, portion
from lab.kube.kinds import BUDGET, POD
from lab.kube.selectors import matches
from lab.kube.writes import Writes


def sync(writes: Writes) -> None:
    """Report every budget's state."""
    for each in writes.store.list(BUDGET):
        spec = each["spec"]
        pods = [
            pod
            for pod in writes.store.list(POD, each["metadata"]["namespace"])
            if is_active(pod) and matches(spec.get("selector"), pod["metadata"].get("labels") or {})
        ]
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
