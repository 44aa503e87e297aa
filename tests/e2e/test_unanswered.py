"""Versions that leave requests without an answer: real connections that hang, are reset, or end within a head.

Each is rolled back by the judge, and, when it turns so after its promotion, by the CloudWatch alarm; none is promoted.
The lab runs thirty times as fast as the catalog says.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from lab.faults import Fault
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import execution, record, start_release, timeline
from lab.scenes.signals import promote, signals
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import PATIENCE, eventually

ENVIRONMENT = "production"
WAYS = {"api-gateway": "hang_rate", "backend-api": "reset_rate", "website": "half_answer_rate"}


@contextmanager
def under_way(folder: Path) -> Iterator[World]:
    """Production with three services under traffic; the judge has the time that it needs."""
    catalog = quick_catalog(
        folder / "catalog", ("strategies.yaml", "judge: {at_most: 1m}", "judge: {at_most: 6m}")
    )
    with World(folder / "lab", time_scale=30, catalog=catalog) as made:
        bring_up(made, (ENVIRONMENT,), list(WAYS))
        load = Load(made.sites[ENVIRONMENT].port, [made.host(ENVIRONMENT, name) for name in WAYS], 150.0)
        load.start()
        yield made
        load.stop()


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(under_way)


def kinds(world: World, release: str) -> list[str]:
    return [entry["kind"] for entry in timeline(world, ENVIRONMENT, release)]


def judged_bad(world: World, service: str) -> None:
    """A canary that passes its smoke tests, and turns when it has users; fewer requests than alarms roll back for."""
    world.traffic.register(service, "turns", "good")
    release = start_release(world, ENVIRONMENT, service, "turns", by="developer")
    eventually(lambda: "shifted" in kinds(world, release))
    world.traffic.register(service, "turns", Behaviour(**{WAYS[service]: 0.4}))
    eventually(lambda: execution(world, ENVIRONMENT, release)["status"] != "RUNNING")
    entries = timeline(world, ENVIRONMENT, release)
    verdict = [entry for entry in entries if entry["kind"] == "judged"][-1]["evidence"]
    assert (verdict["action"], verdict["source"]) == ("rollback", "cloudwatch"), service
    assert "promoted" not in kinds(world, release)
    eventually(lambda: record(world, ENVIRONMENT, service)["holder"] is None)


def alarmed(world: World, service: str) -> None:
    """A promoted version that turns: nobody but the alarm tells of it."""
    promote(world, ENVIRONMENT, service, "1.1.0", seconds=PATIENCE)
    losing = record(world, ENVIRONMENT, service)["stable"]
    world.traffic.register(service, "1.1.0", Behaviour(**{WAYS[service]: 0.9}))
    eventually(lambda: record(world, ENVIRONMENT, service)["stable"] != losing)
    name = f"candlefish/{ENVIRONMENT}/{service}/errors-critical/{losing}"
    said = [
        line["signal"]["name"]
        for line in signals(world, ENVIRONMENT)
        if line["decision"]["action"] == "rollback"
    ]
    assert name in said


def test_what_nobody_answers_is_rolled_back_by_the_judge_and_promoted_by_the_alarm(world: World) -> None:
    with ThreadPoolExecutor(len(WAYS)) as pool:
        list(pool.map(partial(judged_bad, world), WAYS))
        # Three at once on one load balancer would be a storm, and within the budget; the judge sees nothing meanwhile.
        blind = Fault(
            boundary="aws", service="cloudwatch", operation="GetMetricData", kind="error", count=None
        )
        fault = world.faults.add(blind)
        list(pool.map(partial(alarmed, world), WAYS))
        world.faults.remove(fault)
