"""What makes the fake cluster move: one small module a kind, from what is stored to what is written."""

from __future__ import annotations

import logging

from lab.kube.controllers import (
    autoscaler,
    budget,
    deployment,
    endpoints,
    garbage,
    job,
    replica_set,
    stateful_set,
)
from lab.kube.problems import ApiError
from lab.kube.writes import Writes

LOG = logging.getLogger(__name__)

__all__ = ["sync"]

_IN_ORDER = (
    deployment.sync,
    replica_set.sync,
    stateful_set.sync,
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
            try:
                each(writes)
            except ApiError as error:
                # One that is refused (a quota) tries again at the next look and holds up nobody else.
                LOG.info("%s: %s", each.__module__, error)
