"""Asks for failovers as people and signals do, and follows them."""

from __future__ import annotations

import json
import time
from typing import Any

from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.failover.model import Run
from lab.looks import looks
from lab.scenes.driver import call_url
from lab.scenes.recovery.two_regions import RecoveryWorld


def ask_desk(world: RecoveryWorld, region: str, person: str, **body: Any) -> dict[str, Any]:
    """Post to the failover desk of a region as a person."""
    url = world.site_in(region).stack.outputs["FailoverUrl"]
    status, answer = call_url(world, url, body, person=person, region=region)
    if status != 200:
        raise RuntimeError(f"{body['do']} of {body['target']} was refused ({status}): {answer['message']}")
    return dict(answer)


def follow(world: RecoveryWorld, region: str, target: str, seconds: float = 300.0) -> Run:
    """Wait until a failover is over, saying what happens."""
    runs = _runs(world, region)
    shown: set[str] = set()
    run = None
    for _ in looks(seconds):
        run = runs.current(target)
        assert run is not None
        for entry in runs.entries(run):
            line = f"    {entry.at - run.requested_at:6.1f} s  {entry.kind:18} {entry.reason}"
            if line not in shown:
                shown.add(line)
                world.say(line)
        if run.status in ("done", "abandoned", "stopped"):
            return run
    raise TimeoutError(f"the failover of {target} is not over after {seconds:.0f} s: {run}")


def start_by_signal(world: RecoveryWorld, target: str) -> str:
    """Start the failover machine with what a signal sends; the execution's ARN."""
    request = {
        "target": target,
        "environment": world.env,
        "requested_by": "signal:4f1c2a7be0d93a55",
        "reason": "unavailable: connections are refused",
        "failing_since": time.time() - 2,
    }
    runs = _runs(world, world.home)
    before = runs.current(target)
    arn = start_machine(world, "Failover", f"signal-{int(time.time() * 1000)}", request)
    for _ in looks(60):
        if runs.current(target) != before or _machine(world, arn)["status"] != "RUNNING":
            return arn
    raise TimeoutError(f"the signal's failover of {target} did not begin")


def start_machine(world: RecoveryWorld, machine: str, name: str, request: dict[str, Any]) -> str:
    """Start a machine at home; the execution's ARN."""
    started = world.clients(world.home)("stepfunctions").start_execution(
        stateMachineArn=world.sites[world.env].stack.outputs[f"{machine}MachineArn"],
        name=name,
        input=json.dumps(request),
    )
    return str(started["executionArn"])


def wait_for_machine(world: RecoveryWorld, arn: str, seconds: float = 300.0) -> dict[str, Any]:
    """Wait until an execution ended; how it ended."""
    for _ in looks(seconds):
        if (ended := _machine(world, arn))["status"] != "RUNNING":
            return ended
    raise TimeoutError(f"{arn} did not end within {seconds:.0f} s")


def _machine(world: RecoveryWorld, arn: str) -> dict[str, Any]:
    described: dict[str, Any] = world.clients(world.home)("stepfunctions").describe_execution(
        executionArn=arn
    )
    return described


def _runs(world: RecoveryWorld, region: str) -> DynamoRuns:
    return DynamoRuns(world.clients(region)("dynamodb"), f"candlefish-{world.env}", world.env)
