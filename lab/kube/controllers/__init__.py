"""What makes the fake cluster move: one small module a kind, from what is stored to what is written."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lab.kube.controllers import (
    autoscaler,
    budget,
    deployment,
    endpoints,
    garbage,
    job,
    replica_set,
    secrets,
    stateful_set,
)
from lab.kube.controllers.objects import Settled
from lab.kube.kinds import (
    AUTOSCALER,
    BUDGET,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    JOB,
    POD,
    PROVIDER_CLASS,
    QUOTA,
    REPLICA_SET,
    SECRET,
    SERVICE,
    SLICE,
    STATEFUL_SET,
    Kind,
)
from lab.kube.problems import ApiError
from lab.kube.writes import Writes

LOG = logging.getLogger(__name__)

__all__ = ["Controllers"]

# By kind of controller: the kinds that it looks at. It rests while none of them changes.
_LOOKS_AT: dict[str, tuple[Kind, ...]] = {
    "deployment": (DEPLOYMENT, REPLICA_SET),
    "replica_set": (REPLICA_SET, POD, QUOTA),
    "stateful_set": (STATEFUL_SET, POD),
    "job": (JOB, POD),
    "secrets": (EXTERNAL_SECRET, PROVIDER_CLASS, SECRET, POD),
    "endpoints": (SERVICE, POD, SLICE),
    "budget": (BUDGET, POD),
    "autoscaler": (AUTOSCALER, DEPLOYMENT),
    "garbage": (DEPLOYMENT, REPLICA_SET, STATEFUL_SET, JOB, SERVICE, POD, SLICE),
}


class Controllers:
    """All controllers of one cluster."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        # The store's version when each began last, and what each has settled.
        self._began = dict.fromkeys(_LOOKS_AT, 0)
        self._settled = {name: Settled() for name in ("deployment", "replica_set", "endpoints", "budget")}

    def sync(self, *, by_the_clock: bool = False) -> bool:
        """Bring everything one step closer to what was asked for.

        By the clock also what nobody touched: deadlines pass without a change. Whether everything was taken;
        what was refused is tried again at the next look.
        """
        complete = True
        writes, settled = self._writes, self._settled
        steps: dict[str, Callable[[], None]] = {
            "deployment": lambda: deployment.sync(writes, settled["deployment"], by_the_clock=by_the_clock),
            "replica_set": lambda: replica_set.sync(writes, settled["replica_set"]),
            "stateful_set": lambda: stateful_set.sync(writes),
            "job": lambda: job.sync(writes),
            "secrets": lambda: secrets.sync(writes),
            "endpoints": lambda: endpoints.sync(writes, settled["endpoints"]),
            "budget": lambda: budget.sync(writes, settled["budget"]),
            "autoscaler": lambda: autoscaler.sync(writes),
            "garbage": lambda: garbage.sync(writes),
        }
        with writes.store.lock:
            for name, step in steps.items():
                timed = by_the_clock and name in ("deployment", "job", "secrets")
                if not timed and writes.store.changed_at(_LOOKS_AT[name]) <= self._began[name]:
                    continue
                self._began[name] = writes.store.version
                try:
                    step()
                except ApiError as error:
                    # One that is refused holds up no other controller.
                    LOG.info("%s: %s", name, error)
                    complete, self._began[name] = False, -1
                    if name in settled:
                        settled[name] = Settled()
        return complete
