"""An environment with everything in it that can sleep."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.capacity.kinds import PAUSED_REPLICAS
from lab.nights.simulated_world import SimulatedWorld


def furnished(clock: Callable[[], float], namespace: str = "staging") -> SimulatedWorld:
    """Workloads of all kinds and sizes, autoscalers, budgets, jobs, nodegroups, pools and databases."""
    world = SimulatedWorld(clock, namespace)
    for number, name in enumerate(("website", "api", "gateway", "worker", "admin"), 1):
        labels = {"app": name}
        world.add(
            "Deployment",
            f"{name}-blue",
            {
                "replicas": number,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}},
            },
        )
        world.add("PodDisruptionBudget", name, {"minAvailable": 1, "selector": {"matchLabels": labels}})
    world.add("Deployment", "website-green", {"replicas": 0})
    world.add("StatefulSet", "queue", {"replicas": 3})
    _scale(world, "HorizontalPodAutoscaler", "api", {"minReplicas": 2, "maxReplicas": 6})
    _scale(world, "HorizontalPodAutoscaler", "gateway", {"minReplicas": 0, "maxReplicas": 4})
    _scale(world, "ScaledObject", "worker", {"minReplicaCount": 1}, annotations={"team": "data"})
    _scale(world, "ScaledObject", "admin", {"minReplicaCount": 1}, annotations={PAUSED_REPLICAS: "5"})
    world.add("PodDisruptionBudget", "queue", {"maxUnavailable": "30%"})
    world.add("CronJob", "report", {"schedule": "0 8 * * *", "suspend": False})
    world.add("CronJob", "retired", {"schedule": "0 8 * * *", "suspend": True})
    world.add("CronJob", "implicit", {"schedule": "0 8 * * *"})
    world.add("NodePool", "general", {"limits": {"cpu": "100", "memory": "400Gi"}})
    world.add("NodePool", "unlimited", {"template": {}})
    world.add_nodegroup("system", 2, 3, 6)
    world.add_nodegroup("spot", 0, 2, 10)
    world.add_database("main")
    world.add_database("scratch", "stopped")
    return world


def _scale(world: SimulatedWorld, kind: str, name: str, spec: dict[str, object], **metadata: object) -> None:
    target = {"kind": "Deployment", "name": f"{name}-blue"}
    world.add(kind, name, {**spec, "scaleTargetRef": target}, **metadata)
