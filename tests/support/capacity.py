"""A staging environment to put to sleep: everything that can sleep, and a clock that tests move."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from candlefish.catalog.model import Catalog, Cost, Environment, Person, Schedule, Strategy
from lab.memory.service import MemoryRecords
from lab.nights.furnished import furnished
from lab.nights.simulation import SimulatedClock, Simulation
from tests.support.service import fresh

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
        people={"alice": Person(name="alice")},
    )


def simulation(start: str = "2026-11-24 19:00", name: str = "staging") -> Simulation:
    """An environment that is awake, at a moment of a Tuesday evening unless told otherwise."""
    clock = SimulatedClock(at(start))
    world = furnished(clock, name)
    records = MemoryRecords(fresh("api", name), fresh("website", name))
    return Simulation(name, catalog(environment(name)), clock, world, records)


def phase(sim: Simulation) -> str:
    """Where the environment is recorded to be."""
    return sim.store.record.phase


def goal(sim: Simulation) -> str:
    """Where it is recorded to go."""
    return sim.store.record.goal
