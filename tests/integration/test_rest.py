"""A lab in which nothing is under way rests, and costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.kube.kinds import POD
from lab.pace import REST_AFTER, Pace
from lab.world import World
from tests.support.stage import running
from tests.support.waiting import eventually, rounds

ENVIRONMENT, SERVICE = "staging", "website"
PERIODS = 10


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_lab_rests_when_nothing_has_happened_for_a_while() -> None:
    clock = Clock()
    pace = Pace(60, clock)
    told: list[bool] = []
    pace.changed.append(told.append)
    clock.now = pace.rest_after - 1
    pace.look()
    assert (pace.resting, pace.scale, pace.pause(0.05)) == (False, 60, 0.05)
    clock.now = pace.rest_after
    pace.look()
    assert (pace.resting, pace.scale, pace.pause(0.05)) == (True, 1, 1)
    pace.stir()
    assert (pace.resting, pace.scale, pace.pause(0.05)) == (False, 60, 0.05)
    assert told == [True, False]


def test_a_lab_stays_up_for_what_is_under_way() -> None:
    clock = Clock()
    pace = Pace(60, clock)
    running = [True]
    pace.under_way.append(lambda: running[0])
    clock.now = 1000.0
    pace.look()
    running.clear()
    running.append(False)
    pace.look()
    assert not pace.resting
    clock.now += pace.rest_after
    pace.look()
    assert pace.resting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("rest"), (ENVIRONMENT,), (SERVICE,)) as made:
        made.aws.pace.rest_after = 1.0
        yield made


def at_rest(world: World) -> None:
    """Until the lab rests and everybody has heard of it: a period with less than a check for each Pod."""
    for _ in rounds(lambda: "the lab goes on", every=1.0):
        checks = world.traffic.checks
        periods(world, 1)
        if world.aws.pace.resting and world.traffic.checks - checks < 2:
            return


def periods(world: World, count: int) -> None:
    """So many periods of the load balancer's metrics: real time, however busy the machine is."""
    until = world.traffic.reported + count
    eventually(lambda: world.traffic.reported >= until)


def invocations(world: World) -> int:
    return sum(log.read_text().count("START RequestId") for log in (world.directory / "logs").glob("*.log"))


def test_an_idle_lab_does_next_to_nothing(world: World) -> None:
    at_rest(world)
    looks, checks, calls, invoked = (
        world.aws.pace.looks,
        world.traffic.checks,
        len(world.aws.gateway.calls),
        invocations(world),
    )
    periods(world, PERIODS)
    assert world.aws.pace.resting
    # Five look for changes once a second each: schedules, alarms, load balancers, Pods, a queue.
    assert world.aws.pace.looks - looks <= 6 * PERIODS
    # A Pod's probe and its target's check come once in some ten seconds.
    pods = len(world.sites[ENVIRONMENT].cluster.store.list(POD))
    assert world.traffic.checks - checks <= 4 * pods
    # Each rate of the template passes as on AWS: none of them twice in ten seconds.
    assert invocations(world) - invoked <= len(world.aws.schedules.names())
    assert len(world.aws.gateway.calls) - calls <= 10 * len(world.aws.schedules.names())


def test_a_call_wakes_it(world: World) -> None:
    at_rest(world)
    before = invocations(world)
    world.aws.pace.rest_after = REST_AFTER
    world.clients(world.sites[ENVIRONMENT].region)("elbv2").describe_load_balancers()
    assert not world.aws.pace.resting
    # A rate of a minute passes in a second again.
    eventually(lambda: invocations(world) > before)
