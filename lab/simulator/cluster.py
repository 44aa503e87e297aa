"""A Kubernetes cluster in virtual time: `lab.kube` without HTTP and without threads.

Controllers run to a fixed point soon after something was written; then nothing happens until somebody writes
again, a Pod changes, or a deadline comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from candlefish.adapters.kubernetes.messages import ApiResponse
from candlefish.errors import Throttled, Unavailable
from lab.kube.access import MASTERS, User
from lab.kube.cluster import StorePods, apply_all, furnish
from lab.kube.controllers import Controllers, deployment, job
from lab.kube.kinds import DEPLOYMENT, JOB
from lab.kube.kubelet import Kubelet
from lab.kube.requests import Request, answer
from lab.kube.runtime import TargetRegistrar
from lab.kube.store import Store
from lab.kube.target_groups import TargetController
from lab.kube.writes import Writes
from lab.simulator.kernel import Kernel, Timer
from lab.simulator.pods import Pods

ADMIN = User("simulator-admin", (MASTERS,))
# From and to, in seconds: until controllers have noticed a change.
NOTICE = (0.05, 1.0)
# Until what was refused is tried again: an object by the API, a target group by the load balancer.
RETRY = 5.0
# Controllers that are not done by then never will be.
ROUNDS = 50


class Cluster:
    """A cluster with the given namespaces, and what runs in it."""

    def __init__(
        self,
        kernel: Kernel,
        pods: Pods,
        registrar: TargetRegistrar,
        *,
        namespaces: Iterable[str] = ("default",),
        name: str = "cluster",
    ) -> None:
        self._kernel = kernel
        self._chance = kernel.chance(f"controllers of {name}")
        self.store = Store()
        self.writes = Writes(self.store, kernel.now, kernel.chance(f"names of {name}"))
        self.writes.logs = lambda pod: pods.state(pod).log
        self._kubelet = Kubelet(StorePods(self.writes), pods, monotonic=kernel.now, now=kernel.now)
        self._controllers = Controllers(self.writes)
        self._targets = TargetController(self.store, pods, registrar)
        self._look: Timer | None = None
        self._seen = 0
        pods.changed = lambda uid: self._soon()
        furnish(self.writes, namespaces)

    def apply(self, objects: Iterable[Mapping[str, Any]], *, namespace: str = "") -> None:
        """Put objects in place as the administrator would (`kubectl apply -n`)."""
        apply_all(self.writes, objects, namespace=namespace)
        self._soon()

    def api(self, user: User = ADMIN, before: Callable[[], None] = lambda: None) -> DirectApi:
        """The API as a user has it; `before` runs before each request."""
        return DirectApi(self, user, before)

    def ask(self, request: Request) -> tuple[int, Any]:
        """One request; code and body of the answer."""
        before = self.store.version
        found = answer(self.writes, request)
        if self.store.version != before:
            self._soon()
        return found

    def _soon(self) -> None:
        self._at(self._kernel.now() + self._chance.uniform(*NOTICE))

    def _at(self, when: float) -> None:
        """Look at a time, unless something is looked at earlier anyway."""
        if self._look is not None and self._look.do is not None:
            if self._look.at <= when:
                return
            self._look.cancel()
        self._look = self._kernel.at(when, self._settle, "controllers")

    def _settle(self) -> None:
        for done in range(ROUNDS):
            version = self.store.version
            self._kubelet.sync()
            complete = self._controllers.sync(by_the_clock=not done)
            if self.store.version == version:
                break
        else:
            raise RuntimeError(f"the cluster's controllers do not come to rest in {ROUNDS} rounds")
        if self.store.version != self._seen:
            if self._targets.sync():
                self._seen = self.store.version
            else:
                self._at(self._kernel.now() + RETRY)
        now = self._kernel.now()
        if not complete:
            self._at(now + RETRY)
        for due in (self._kubelet.due(), *self._deadlines()):
            if due is not None:
                self._at(max(due, now + NOTICE[0]))

    def _deadlines(self) -> Iterable[float]:
        """When Deployments that still roll out have taken too long, and when time alone moves a Job."""
        for kind, deadline_of in ((DEPLOYMENT, deployment.deadline_of), (JOB, job.deadline_of)):
            for value in self.store.list(kind):
                deadline = deadline_of(value)
                if deadline is not None:
                    # Times are written in whole seconds, and the deadline must be over.
                    yield deadline + 1.0


class DirectApi:
    """What `candlefish.adapters.kubernetes.api.Api` gives, straight from the cluster."""

    def __init__(self, cluster: Cluster, user: User, before: Callable[[], None]) -> None:
        self._cluster, self._user, self._before = cluster, user, before

    def request(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "",
    ) -> ApiResponse:
        """Send a request; `subject` names what it is about in errors.

        Raises
        ------
        Throttled, Unavailable
            The API is busy or failed.
        """
        self._before()
        code, found = self._cluster.ask(
            Request(
                method,
                path,
                {key: str(text) for key, text in (query or {}).items()},
                self._user,
                b"" if body is None else msgspec.json.encode(body),
                content_type or "application/json",
                "candlefish-control-plane",
            )
        )
        if code == 429 or code >= 500:
            kind = Throttled if code == 429 else Unavailable
            raise kind(f"{subject}: the cluster's API answered {code} ({found['message']}); try again later")
        return ApiResponse(code, msgspec.json.encode(found))
