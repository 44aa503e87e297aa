"""A train that is asked for at night, through the deployed template: it waits whole, and arrives in the morning."""

from __future__ import annotations

from pathlib import Path

import msgspec

from candlefish.capacity.model import RunningTrain
from lab.faults import Fault
from lab.scenes.driver import execution_arn
from lab.world import World
from tests.support.night import ENVIRONMENT, Night
from tests.support.stage import Stage, follow_train, running, start_train
from tests.support.waiting import eventually

SERVICES = ("backend-api", "api-gateway")


def test_a_train_at_night_changes_nothing_waits_whole_and_arrives_in_the_morning(tmp_path: Path) -> None:
    with running(tmp_path, (ENVIRONMENT,), SERVICES) as world:
        a_night_and_a_morning(world)


def a_night_and_a_morning(world: World) -> None:
    night, stage = Night(world), Stage(world, ENVIRONMENT)
    before = {service: stage.records.get(service) for service in SERVICES}
    assert night.say("sleep")[0] == 200
    night.phase("asleep")

    train = start_train(stage, dict.fromkeys(SERVICES, "1.2.0"))
    ended = follow_train(stage, train)
    assert ended["error"] == "EnvironmentAsleep"
    assert f"train {train} is queued" in ended["cause"]
    assert {service: stage.records.get(service) for service in SERVICES} == before
    assert [each.release for each in night.store.get().queue] == [train]

    assert night.say("wake")[0] == 200
    record = night.until(lambda record: record.phase == "awake" and not record.queue)
    again = f"{train}-g{record.generation}"
    ended = follow_train(stage, again)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    for service in SERVICES:
        stage.settled(service, "1.2.0")
    eventually(lambda: night.store.get().trains == ())

    # Written down while the environment goes to sleep, as when the two meet: it has ended, so it keeps nobody awake.
    world.faults.add(Fault(boundary="function", kind="throttle", service="*-advance-capacity", count=3))
    assert night.say("sleep")[0] == 200
    night.until(lambda record: record.phase == "going_down")
    met = RunningTrain(again, execution_arn(world, ENVIRONMENT, again, "Train"))
    night.store.update(lambda record: msgspec.structs.replace(record, trains=(met,)))
    night.phase("asleep")
    assert night.store.get().trains == ()
