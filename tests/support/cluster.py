"""A cluster that runs what it is told to, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.release.manifests.model import refuse_newer
from candlefish.release.model import Manifest, Rollout


class FakeCluster:
    """`release.ports.Cluster`: remembers what it was told; Deployments are as ready as a test says."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.replicas: dict[str, int] = {}
        self.bounds: dict[str, tuple[int, int]] = {}
        self.retired: list[str] = []
        self.next_rollout = Rollout(status="ready", reason="all Pods are ready", ready=5, desired=5)

    def apply(self, objects: Sequence[Manifest], *, force: bool = False) -> None:
        for each in objects:
            name = each["metadata"]["name"]
            self.objects[each["kind"], name] = each
            if each["kind"] == "Deployment":
                self.replicas.setdefault(name, 1)

    def rollout(self, namespace: str, name: str) -> Rollout:
        return self.next_rollout

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        self.replicas[name] = replicas

    def raise_to(self, namespace: str, name: str, replicas: int) -> int:
        self.replicas[name] = max(self.replicas.get(name, 0), replicas)
        return self.replicas[name]

    def set_bounds(self, namespace: str, name: str, *, minimum: int, maximum: int) -> None:
        self.bounds[name] = (minimum, maximum)

    def retire(self, namespace: str, name: str, generation: int) -> None:
        if name in self.replicas:
            notes = self.objects.get(("Deployment", name), {"metadata": {}})["metadata"].get(
                "annotations", {}
            )
            refuse_newer(f"Deployment {name} in {namespace}", notes, generation)
            self.replicas[name] = 0
        self.retired.append(name)

    def current_replicas(self, namespace: str, name: str) -> int:
        return self.replicas.get(name, 0)
