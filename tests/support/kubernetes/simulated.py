"""The cluster of the simulator as a server under test. Whoever asks lets virtual time pass."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lab.kube import User
from lab.kube.requests import Request, split_target
from lab.kube.runtime import tag
from lab.simulator.cluster import ADMIN, Cluster
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.pods import Pods
from lab.simulator.versions import BEHAVIOURS, Behaviour

# Seconds that pass with every request: of the control plane, of the administrator.
STEP, LONG_STEP = 0.2, 2.0
# What tags mean on the other servers (`lab.kube.runtime.STATES`).
TAGS = {
    "bad": BEHAVIOURS["unpullable"],
    "crash": Behaviour(crash_after=0.0, start_seconds=0.1),
    "fail": Behaviour(job_exit_code=1),
    "notready": Behaviour(ready=False, start_seconds=0.1),
    "pending": BEHAVIOURS["unschedulable"],
}


class Simulated:
    """A cluster, and the kernel that moves it."""

    def __init__(self) -> None:
        self.kernel = Kernel(seed=1)
        self.balancer = LoadBalancer(self.kernel)
        quick = Behaviour(start_seconds=0.1, job_seconds=0.1)
        pods = Pods(self.kernel, lambda image: TAGS.get(tag(image), quick), self.balancer)
        self.cluster = Cluster(self.kernel, pods, self._register)

    def _register(self, target_group: str, targets: frozenset[tuple[str, int]]) -> None:
        """Nobody has onboarded the target groups of these tests."""


class SimulatedRest:
    """`Rest` on it."""

    def __init__(self, simulated: Simulated, user: User = ADMIN, step: float = LONG_STEP) -> None:
        self._simulated, self._user, self._step = simulated, user, step

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        self._simulated.kernel.sleep(self._step)
        sent = b"" if body is None else json.dumps(body).encode()
        request = Request(method, *split_target(path), self._user, sent, content_type)
        code, found = self._simulated.cluster.ask(request)
        return code, msgspec.json.decode(msgspec.json.encode(found))

    def must(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        status, answer = self.call(method, path, body, content_type)
        assert status < 300, (method, path, status, answer)
        return answer
