"""A train that is asked for at night waits whole, and arrives in the morning."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.capacity.model import RunningTrain
from lab.simulator.machines import Execution
from tests.support.simulated_night import SERVICES, SimulatedNight


def test_a_train_at_night_changes_nothing_waits_whole_and_arrives_in_the_morning(
    night: SimulatedNight,
) -> None:
    before = {service: night.records.get(service) for service in SERVICES}
    assert night.say("sleep")[0] == 200
    night.phase("asleep")

    train = night.site.train(dict.fromkeys(SERVICES, "1.2.0"))
    ended = night.site.ended(train, "train")
    assert ended.error == "EnvironmentAsleep"
    assert f"train {train} is queued" in str(ended.cause)
    assert {service: night.records.get(service) for service in SERVICES} == before
    assert [each.release for each in night.record.queue] == [train]

    assert night.say("wake")[0] == 200
    record = night.until(lambda record: record.phase == "awake" and not record.queue, "the queue is empty")
    again = f"{train}-g{record.generation}"
    run = followed(night, again)
    assert run.status == "SUCCEEDED", run.cause
    for service in SERVICES:
        night.settled(service, "1.2.0")
    night.until(lambda record: record.trains == (), "no train runs")

    # Written down while the environment goes to sleep, as when the two meet: it has ended, so it keeps nobody awake.
    throttled = night.strike("throttled", "*", function="advance_capacity", count=3)
    assert night.say("sleep")[0] == 200
    night.until(lambda record: record.phase == "going_down", "it goes down")
    met = RunningTrain(again, run.arn)
    night.site.ports["store"].update(lambda record: msgspec.structs.replace(record, trains=(met,)))
    night.phase("asleep")
    assert throttled.met == 3
    assert night.record.trains == ()


def followed(night: SimulatedNight, train: str) -> Execution:
    """Answer every question of a train's releases with yes until the train has ended; how it did."""

    def over() -> Any:
        for service in SERVICES:
            if night.status(f"{train}-{service}") == "awaiting_approval":
                night.answer(f"{train}-{service}", "approved", "platform-lead")
        run = night.site.execution(train, "train")
        return run if run is not None and run.status != "RUNNING" else None

    ended: Execution = night.site.until(over, f"the end of train {train}")
    return ended
