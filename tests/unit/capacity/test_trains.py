"""Trains and sleep: a train waits whole, or runs whole in an environment that stays awake for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from candlefish.capacity.admission import require_awake, require_awake_for_train
from candlefish.capacity.model import CapacityRecord
from candlefish.capacity.record import turn_goal
from candlefish.catalog.model import Schedule
from candlefish.errors import EnvironmentAsleep
from candlefish.requester import Asked, Requester
from lab.nights.simulation import Simulation
from tests.support.capacity import MINUTE, ZONE, at, catalog, environment, goal, phase, simulation

TRAIN = {"releases": [{"service": "api"}, {"service": "website"}]}

ASKED = Asked(Requester("alice"), "digest", 1.0)


def ports(sim: Simulation, policy: str = "queue") -> dict[str, Any]:
    schedule = Schedule(timezone=ZONE, awake=("Mon-Fri 07:00-20:00",), on_release_while_asleep=policy)  # type: ignore[arg-type]
    sim.ports["catalog"] = catalog(environment("staging", schedule=schedule))
    return {name: sim.ports[name] for name in ("catalog", "store", "events", "now")}


def start(sim: Simulation, name: str = "t-1", policy: str = "queue") -> str:
    """What the train machine does first; the execution, which runs until a test ends it."""
    arn = sim.executions.start("train", name, TRAIN)
    try:
        require_awake_for_train(
            sim.environment, train=name, execution=arn, payload=TRAIN, asked=ASKED, **ports(sim, policy)
        )
    except EnvironmentAsleep:
        sim.executions.end(arn, "FAILED")
        raise
    return arn


def release(sim: Simulation, train: str = "t-1") -> None:
    """What each release of a train does first."""
    require_awake(
        sim.environment,
        release=f"{train}-api",
        payload={"service": "api"},
        asked=ASKED,
        train=train,
        **ports(sim),
    )


def trains(sim: Simulation) -> list[str]:
    return [name for machine, name, _ in sim.executions.started if machine == "train"]


def test_a_train_at_night_waits_whole_and_is_started_once_in_the_morning() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 22:00"))
    for _ in range(2):
        with pytest.raises(EnvironmentAsleep, match=r"train t-1 is queued: .*the train starts when it wakes"):
            start(sim)
    assert sim.events.published[-1][1]["title"] == "A train to staging waits until it is awake"
    sim.run(at("2026-11-25 06:50"))
    assert trains(sim) == ["t-1"]
    sim.run(at("2026-11-25 09:00"))
    assert trains(sim) == ["t-1", "t-1-g2"]
    assert sim.executions.started[-1] == ("train", "t-1-g2", TRAIN)
    assert sim.store.record.queue == ()
    start(sim, "t-1-g2")


def test_a_train_at_night_wakes_the_environment_where_the_catalog_says_so() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 22:00"))
    with pytest.raises(EnvironmentAsleep, match="it is woken, and the train starts"):
        start(sim, policy="wake")
    sim.run(at("2026-11-24 22:30"))
    assert phase(sim) == "awake"
    assert trains(sim) == ["t-1", "t-1-g2"]


def test_sleep_waits_until_the_train_has_ended_also_between_its_releases() -> None:
    sim = simulation("2026-11-24 19:50")
    arn = start(sim)
    # No service is held: the first release has ended in place, the second has not begun.
    sim.run(at("2026-11-24 21:00"))
    assert (phase(sim), goal(sim)) == ("awake", "awake")
    assert sim.events.kinds() == ["capacity.postponed"]
    assert "train t-1 is under way" in sim.events.published[0][1]["reason"]
    release(sim)
    sim.executions.end(arn, "SUCCEEDED")
    sim.run(at("2026-11-24 22:00"))
    assert phase(sim) == "asleep"
    assert sim.store.record.trains == ()


def turn_in_between(sim: Simulation) -> Callable[[], None]:
    def change() -> None:
        sim.store.between = lambda: None
        sim.store.update(lambda r: turn_goal(r, "asleep", reason="hours", by="calendar", now=sim.clock.at))

    return change


def test_a_train_that_comes_in_as_the_hours_end_is_either_in_or_waits() -> None:
    sim = simulation("2026-11-24 19:59")
    sim.store.between = turn_in_between(sim)
    with pytest.raises(EnvironmentAsleep):
        start(sim)
    assert sim.store.record.trains == ()
    assert [each.release for each in sim.store.record.queue] == ["t-1"]


def test_a_train_that_was_let_in_runs_to_its_end_although_the_goal_turned() -> None:
    sim = simulation("2026-11-24 19:59")
    arn = start(sim)
    # A reconciler that had looked before the train came in.
    turn_in_between(sim)()
    assert (phase(sim), goal(sim)) == ("going_down", "asleep")
    sim.run(at("2026-11-24 21:00"))
    assert sim.store.record.saved is None, "nothing was put to sleep"
    release(sim)
    require_awake_for_train(
        sim.environment, train="t-1", execution=arn, payload=TRAIN, asked=ASKED, **ports(sim)
    )
    sim.executions.end(arn, "FAILED")
    sim.run(at("2026-11-24 22:00"))
    assert phase(sim) == "asleep"


def test_a_release_of_a_train_is_never_queued_alone() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 22:00"))
    with pytest.raises(EnvironmentAsleep, match="start the train again, it waits as a whole"):
        release(sim)
    assert sim.store.record.queue == ()


def test_a_train_that_ended_lets_nobody_in() -> None:
    sim = simulation("2026-11-24 19:50")
    sim.executions.end(start(sim), "SUCCEEDED")
    sim.run(at("2026-11-24 21:00"))
    assert phase(sim) == "asleep"
    with pytest.raises(EnvironmentAsleep):
        release(sim)


def test_trains_that_ended_are_forgotten_while_the_environment_is_awake() -> None:
    sim = simulation("2026-11-24 12:00")
    first, second = start(sim, "t-1"), start(sim, "t-2")
    sim.executions.end(first, "SUCCEEDED")
    sim.run(sim.clock.at + 6 * MINUTE)
    assert [each.execution for each in sim.store.record.trains] == [second]


def test_production_lets_trains_in_and_writes_nothing_down() -> None:
    sim = simulation("2026-11-24 23:00")
    sim.ports["catalog"] = catalog(environment("staging", schedule=None))
    require_awake_for_train(
        "staging",
        train="t-1",
        execution="arn:train:t-1",
        payload=TRAIN,
        asked=ASKED,
        **{name: sim.ports[name] for name in ("catalog", "store", "events", "now")},
    )
    assert sim.store.writes == 0


def test_a_record_from_before_trains_is_read() -> None:
    old = b'{"environment": "staging", "queue": [{"release": "r-1", "payload": {}, "at": 1.0}]}'
    assert msgspec.json.decode(old, type=CapacityRecord).queue[0].machine == "release"
