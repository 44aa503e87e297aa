"""What makes the fake cluster move: one small module a kind, from what is stored to what is written."""

from __future__ import annotations

from lab.kube.controllers import autoscaler, budget, deployment, endpoints, garbage, job, replica_set
from lab.kube.writes import Writes

__all__ = ["sync"]

_IN_ORDER = (
    deployment.sync,
    replica_set.sync,
    job.sync,
    endpoints.sync,
    budget.sync,
    autoscaler.sync,
    garbage.sync,
)


def sync(writes: Writes) -> None:
    """Bring everything one step closer to what was asked for."""
    with writes.store.lock:
        for each in _IN_ORDER:
            each(writes)
