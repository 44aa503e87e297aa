"""Versions that leave requests without an answer: real connections that hang, are reset, or end within a head.

Each is rolled back by the judge, and, when it turns so after its promotion, by the CloudWatch alarm; none is promoted.
The lab runs thirty times as fast as the catalog says.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from lab.faults import Fault
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import record, start_release, timeline
from lab.scenes.signals import promote, signals
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import PATIENCE, eventually

WAYS = {"api-gateway": "hang_rate", "backend-api": "reset_rate", "website": "half_answer_rate"}
# Where a canary is judged, and where a promotion takes seconds.
JUDGED, ALARMED = "production", "staging"
CHANGES = (
    ("strategies.yaml", "judge: {at_most: 1m}", "judge: {at_most: 2h}"),
    ("strategies.yaml", "bake: {at_most: 10m, unclear: go_on}", "bake: {at_most: 1m, unclear: go_on}"),
    # An alarm of a busy lab may come later than the minute that half an hour is here.
    ("strategies.yaml", "rollback_window: 30m", "rollback_window: 6h"),
)


@contextmanager
def under_way(folder: Path) -> Iterator[World]:
    """Two environments with three services each, under traffic."""
    catalog = quick_catalog(folder / "catalog", *CHANGES)
    with World(folder / "lab", time_scale=30, catalog=catalog) as made, ExitStack() as stack:
        bring_up(made, (JUDGED, ALARMED), list(WAYS))
        for environment, rate in ((JUDGED, 240.0), (ALARMED, 60.0)):
            load = Load(made.sites[environment].port, [made.host(environment, name) for name in WAYS], rate)
            load.start()
            stack.callback(load.stop)
        yield made


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(under_way)


def kinds(world: World, release: str) -> list[str]:
    return [entry["kind"] for entry in timeline(world, JUDGED, release)]


def judged_bad(world: World, service: str) -> None:
    """A canary that passes its smoke tests, and turns when it has users; fewer requests than alarms roll back for."""
    world.traffic.register(service, "turns", "good")
    release = start_release(world, JUDGED, service, "turns", by="developer")
    eventually(lambda: "shifted" in kinds(world, release))
    world.traffic.register(service, "turns", Behaviour(**{WAYS[service]: 0.4}))
    eventually(lambda: {"rolled_back", "approval_requested"} & {*kinds(world, release)})
    entries = timeline(world, JUDGED, release)
    verdict = [entry for entry in entries if entry["kind"] == "judged"][-1]["evidence"]
    told = [f"{entry['kind']}: {entry['reason']}" for entry in entries]
    assert (verdict["action"], verdict["source"]) == ("rollback", "cloudwatch"), told
    assert "promoted" not in kinds(world, release)


def alarmed(world: World, service: str) -> None:
    """A promoted version that turns: nobody but the alarm tells of it."""
    promote(world, ALARMED, service, "1.1.0", seconds=PATIENCE)
    losing = record(world, ALARMED, service)["stable"]
    world.traffic.register(service, "1.1.0", Behaviour(**{WAYS[service]: 0.9}))
    eventually(lambda: record(world, ALARMED, service)["stable"] != losing)
    name = f"candlefish/{ALARMED}/{service}/errors-critical/{losing}"

    def acted() -> list[str]:
        lines = (line for line in signals(world, ALARMED) if line["signal"]["subject"] == service)
        return [line["signal"]["name"] for line in lines if line["decision"]["action"] == "rollback"]

    # Users are taken back first, and what was decided is written down after.
    assert name in eventually(acted)


def test_what_nobody_answers_is_rolled_back_by_the_judge_and_promoted_by_the_alarm(world: World) -> None:
    with ThreadPoolExecutor(len(WAYS)) as pool:
        list(pool.map(partial(judged_bad, world), WAYS))
        # The judge sees nothing meanwhile, and is nobody's witness.
        blind = Fault(
            boundary="aws", service="cloudwatch", operation="GetMetricData", kind="error", count=None
        )
        fault = world.faults.add(blind)
        list(pool.map(partial(alarmed, world), WAYS))
        world.faults.remove(fault)
