"""What a release costs the control plane, measured in the lab: calls on the rollback path, time without waits.

Run with `make bench-release`. Prints a table and writes build/bench-release/release.json; exits 1 when
the rollback path makes more calls than promised. Times depend on the machine and are only printed.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.scenes import driver
from lab.scenes.bring_up import bring_up
from lab.traffic.load import Load
from lab.world import World
from tests.support.waiting import PATIENCE

ENVIRONMENT, SERVICE = "production", "backend-api"
OUTPUT = Path("build/bench-release")
# From the trigger to ModifyRule: what the design promises.
MOST_CALLS = 3


def main() -> int:
    """Measure, print, write."""
    logging.basicConfig(level=logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        bring_up(world, (ENVIRONMENT,), (SERVICE,))
        site = world.sites[ENVIRONMENT]
        host = world.status()["environments"][ENVIRONMENT]["hosts"][SERVICE]
        load = Load(site.port, [host], 300)
        load.start()
        try:
            measured = {"rollback": rollback(world), "canary": canary(world)}
        finally:
            load.stop()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "release.json").write_text(json.dumps(measured, indent=2) + "\n")
    show(measured)
    return 0 if measured["rollback"]["calls_before_modify_rule"] <= MOST_CALLS else 1


def rollback(world: World) -> dict[str, Any]:
    """Roll back a release at 10%: the AWS calls of its first function up to ModifyRule, and how long that took."""
    release = driver.start_release(world, ENVIRONMENT, SERVICE, "1.2.0", by="developer")
    driver.wait_for_entry(world, ENVIRONMENT, release, "shifted", PATIENCE)
    site = world.sites[ENVIRONMENT]
    name = f"{release}-by-hand"
    request = {
        "id": name,
        "environment": ENVIRONMENT,
        "service": SERVICE,
        "reason": "benchmark",
        "by": "platform-lead",
        "disposition": "rejected",
    }
    began = time.time()
    world.clients(site.region)("stepfunctions").start_execution(
        stateMachineArn=site.stack.outputs["RollbackMachineArn"], name=name, input=json.dumps(request)
    )
    driver.wait_for(world, ENVIRONMENT, name, PATIENCE, machine="Rollback")
    calls = [c for c in world.aws.gateway.calls if c.at >= began and c.caller.endswith("restore-traffic")]
    place = next(i for i, call in enumerate(calls) if call.operation == "ModifyRule")
    return {
        "calls": [f"{call.service}:{call.operation}" for call in calls[: place + 1]],
        "calls_before_modify_rule": place,
        "seconds_to_modify_rule": round(calls[place].at - began, 3),
    }


def canary(world: World) -> dict[str, Any]:
    """Promote a version: how long the machine took, and how much of that was configured waiting."""
    release = driver.start_release(world, ENVIRONMENT, SERVICE, "1.1.0", by="developer")
    answered = 0
    while driver.execution(world, ENVIRONMENT, release)["status"] == "RUNNING":
        kinds = [entry["kind"] for entry in driver.timeline(world, ENVIRONMENT, release)]
        if kinds.count("approval_requested") > answered:
            answered += 1
            driver.answer(world, ENVIRONMENT, release, "approved", person="platform-lead")
        time.sleep(0.1)
    described = driver.execution(world, ENVIRONMENT, release)
    if described["status"] != "SUCCEEDED":
        raise RuntimeError(f"the canary did not arrive: {described.get('error')}: {described.get('cause')}")
    events = history(world, described["executionArn"])
    total = (events[-1]["timestamp"] - events[0]["timestamp"]).total_seconds()
    waited = states_time(events, "Wait") + approvals_time(events)
    return {
        "seconds": round(total, 2),
        "configured_waits": round(waited, 2),
        "control_plane_seconds": round(total - waited, 2),
        "states": sum(event["type"].endswith("StateEntered") for event in events),
        "history_events": len(events),
    }


def history(world: World, execution: str) -> list[dict[str, Any]]:
    """The whole history of an execution."""
    client = world.clients(world.sites[ENVIRONMENT].region)("stepfunctions")
    events: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = client.get_execution_history(executionArn=execution, maxResults=1000, **token)
        events += page["events"]
        if not page.get("nextToken"):
            return events
        token = {"nextToken": page["nextToken"]}


def states_time(events: list[dict[str, Any]], kind: str) -> float:
    """Seconds spent in states of a kind."""
    total, entered = 0.0, None
    for event in events:
        if event["type"] == f"{kind}StateEntered":
            entered = event["timestamp"]
        elif event["type"] == f"{kind}StateExited" and entered:
            total += (event["timestamp"] - entered).total_seconds()
    return total


def approvals_time(events: list[dict[str, Any]]) -> float:
    """Seconds from a question to its answer."""
    total, entered = 0.0, None
    for event in events:
        name = event.get("stateEnteredEventDetails", event.get("stateExitedEventDetails", {})).get("name")
        if name == "Approve":
            if event["type"] == "TaskStateEntered":
                entered = event["timestamp"]
            elif entered:
                total += (event["timestamp"] - entered).total_seconds()
    return total


def show(measured: dict[str, Any]) -> None:
    """Print what was measured."""
    table = Table("measured", "value", box=None)
    back, forth = measured["rollback"], measured["canary"]
    table.add_row("rollback: AWS calls before ModifyRule", str(back["calls_before_modify_rule"]))
    table.add_row("rollback: the calls", " > ".join(back["calls"]))
    table.add_row("rollback: from the trigger to ModifyRule", f"{back['seconds_to_modify_rule']} s")
    table.add_row("canary: from start to promoted", f"{forth['seconds']} s, {forth['states']} states")
    table.add_row("canary: configured waits and approval", f"{forth['configured_waits']} s")
    table.add_row("canary: control plane", f"{forth['control_plane_seconds']} s")
    table.add_row("canary: history events", f"{forth['history_events']} of 25,000")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
