"""A night and a morning of a running lab, with the roles that the functions have; the rest is in tests/scenarios/capacity.

A bill that runs away sends staging to sleep, a train that is asked for then waits, and in the morning it arrives.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from moto.ce.models import ce_backends

from candlefish.capacity.model import RunningTrain
from lab.faults import Fault
from lab.moto import ACCOUNT
from lab.scenes.driver import execution_arn
from lab.world import World
from tests.support.night import ENVIRONMENT, Night
from tests.support.stage import Stage, running
from tests.support.waiting import eventually

SERVICE = "website"
# US dollars a day, far above the target of $400-600 a month.
DAILY = 100.0


def bill() -> dict[str, Any]:
    """Cost Explorer's answer about the last hundred days."""
    today = datetime.now(UTC).date()
    rows = []
    for back in range(100, 0, -1):
        day = today - timedelta(days=back)
        cost = {"UnblendedCost": {"Amount": str(DAILY), "Unit": "USD"}}
        rows.append(
            {
                "TimePeriod": {"Start": str(day), "End": str(day + timedelta(days=1))},
                "Total": {},
                "Groups": [{"Keys": [f"Environment${ENVIRONMENT}"], "Metrics": cost}],
                "Estimated": back < 3,
            }
        )
    return {"ResultsByTime": rows, "GroupDefinitions": [], "DimensionValueAttributes": []}


def train_of(stage: Stage, name: str, service: str = SERVICE) -> str:
    """Start a train of one service; its name."""
    car = {"service": service, "image": stage.world.image(SERVICE, "1.2.0"), "label": "1.2.0"}
    stage.client("stepfunctions").start_execution(
        stateMachineArn=stage.site.stack.outputs["TrainMachineArn"],
        name=name,
        input=json.dumps({"releases": [car], "reason": "a test"}),
    )
    return name


def ended(stage: Stage, train: str) -> dict[str, Any]:
    def over() -> Any:
        described = stage.ends_now(train, "Train")
        return described if described["status"] != "RUNNING" else None

    found: dict[str, Any] = eventually(over)
    return found


def test_costs_send_it_to_sleep_and_a_train_waits_for_the_morning(tmp_path: Path) -> None:
    with running(tmp_path, (ENVIRONMENT,), (SERVICE,), world=partial(World, time_scale=120.0)) as world:
        night, stage = Night(world), Stage(world, ENVIRONMENT)
        database = night.env.databases[0].identifier
        night.client("rds").create_db_instance(
            DBInstanceIdentifier=database,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=20,
            Tags=[{"Key": "candlefish:environment", "Value": ENVIRONMENT}],
        )
        evening = night.picture()
        costs_send_it_to_sleep(night, stage)
        down = night.picture()
        assert (down["nodes"], down[f"Database/{database}"]) == (0, "stopped")
        a_train_waits(night, stage)
        morning = night.picture()
        for name in ("nodes", "Nodegroup/default", f"Database/{database}"):
            assert morning[name] == evening[name]


def costs_send_it_to_sleep(night: Night, stage: Stage) -> None:
    """A train is written down meanwhile, as when the two meet: it has ended, so it keeps nobody awake."""
    over = train_of(stage, "train-to-nowhere", "nobody")
    assert ended(stage, over)["status"] == "FAILED"
    ce_backends[ACCOUNT]["aws"].cost_usage_results_queue = [bill()]
    faults = night.world.faults
    faults.add(Fault(boundary="function", kind="throttle", service="*-advance-capacity", count=3))
    seen = night.world.invoke(ENVIRONMENT, "review-costs", {"task": "watch"})
    assert seen["decision"]["action"] == "sleep", seen
    night.until(lambda record: record.phase == "going_down")
    # Both look for it; this is about the one that goes on with the night.
    other = faults.add(
        Fault(boundary="function", kind="throttle", service="*-reconcile-capacity", count=None)
    )
    met = RunningTrain(over, execution_arn(night.world, ENVIRONMENT, over, "Train"))
    night.store.update(lambda record: msgspec.structs.replace(record, trains=(met,)))
    assert night.phase("asleep").by
    faults.remove(other)
    assert night.store.get().trains == ()
    look = night.world.invoke(ENVIRONMENT, "reconcile-capacity", {"dry_run": True})
    assert look["action"] == "none", look


def a_train_waits(night: Night, stage: Stage) -> None:
    train = train_of(stage, "train-at-night")
    assert ended(stage, train)["error"] == "EnvironmentAsleep"
    assert [each.release for each in night.store.get().queue] == [train]
    assert night.say("wake")[0] == 200
    record = night.until(lambda record: record.phase == "awake" and not record.queue)
    assert ended(stage, f"{train}-g{record.generation}")["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.2.0")
    eventually(lambda: night.store.get().trains == ())
