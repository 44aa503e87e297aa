"""TargetGroupBindings: keeps target groups filled with the ready Pods of a Service."""

from __future__ import annotations

import logging

from lab.kube.controllers.endpoints import backends, target_port
from lab.kube.kinds import BINDING, SERVICE
from lab.kube.runtime import Object, PodRuntime, TargetRegistrar
from lab.kube.store import Store

LOG = logging.getLogger(__name__)
Targets = frozenset[tuple[str, int]]


class TargetController:
    """Level-triggered: what the registrar did not take is offered again."""

    def __init__(self, store: Store, runtime: PodRuntime, registrar: TargetRegistrar) -> None:
        self._store, self._runtime, self._registrar = store, runtime, registrar
        self._registered: dict[str, Targets] = {}

    def sync(self) -> bool:
        """Register what changed; whether everything was taken."""
        with self._store.lock:
            wanted = {
                binding["spec"]["targetGroupARN"]: self._targets(binding)
                for binding in self._store.list(BINDING)
            }
        complete = True
        # A binding that was deleted leaves its group empty.
        for group in sorted(self._registered.keys() - wanted.keys()):
            wanted[group] = frozenset()
        for group, targets in wanted.items():
            if self._registered.get(group) == targets:
                continue
            try:
                # Outside the lock: it calls another service.
                self._registrar(group, targets)
            except Exception:
                LOG.warning("could not register %d targets in %s", len(targets), group, exc_info=True)
                complete = False
            else:
                self._registered[group] = targets
        return complete

    def _targets(self, binding: Object) -> Targets:
        reference = binding["spec"]["serviceRef"]
        service = self._store.get(SERVICE, binding["metadata"]["namespace"], reference["name"])
        if service is None:
            return frozenset()
        made = set()
        for pod in backends(self._store, service):
            host, _, port = self._runtime.address(pod).partition(":")
            number = int(port) if port else target_port(service, reference["port"], pod)
            if number is not None:
                made.add((host, number))
        return frozenset(made)
