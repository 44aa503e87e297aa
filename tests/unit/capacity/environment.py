"""A staging environment to put to sleep: everything that can sleep, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from candlefish.capacity.kinds import PAUSED_REPLICAS
from candlefish.catalog.model import Catalog, Cost, Environment, Schedule, Strategy

from lab.simulated import SimulatedWorld
from lab.week import SimulatedClock, Simulation
from tests.fakes import FakeRecords, fresh

ZONE = "America/Los_Angeles"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def at(text: str) -> float:
    """Local time in Los Angeles, like "2026-11-24 19:00", in epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


def environment(name: str, **changes: object) -> Environment:
    values = {
        "name": name,
        "account": "222222222222",
        "region": "us-west-2",
        "recovery_region": "us-east-1",
        "cluster": f"candlefish-{name}",
        "namespace": name,
        "strategy": "blue-green",
        "cost": Cost(low=400, high=600),
        "schedule": Schedule(timezone=ZONE, awake=("Mon-Fri 07:00-20:00",)),
        **changes,
    }
    return Environment(**values)  # type: ignore[arg-type]


def catalog(*environments: Environment) -> Catalog:
    listed = environments or (environment("staging"),)
    return Catalog(
        services={},
        environments={each.name: each for each in listed},
        strategies={"blue-green": Strategy(name="blue-green", kind="blue_green")},
        policies={},
    )


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


def simulation(start: str = "2026-11-24 19:00", name: str = "staging") -> Simulation:
    """An environment that is awake, at a moment of a Tuesday evening unless told otherwise."""
    clock = SimulatedClock(at(start))
    world = furnished(clock, name)
    records = FakeRecords(fresh("api", name), fresh("website", name))
    return Simulation(name, catalog(environment(name)), clock, world, records)


def phase(sim: Simulation) -> str:
    """Where the environment is recorded to be."""
    return sim.store.record.phase


def goal(sim: Simulation) -> str:
    """Where it is recorded to go."""
    return sim.store.record.goal
