"""What a release costs the control plane, measured in the lab: calls on the ways to a rollback, time without waits.

Run with `make bench-release`. Prints a table and writes build/bench-release/release.json; exits 1 when a way
makes more calls, or passes through more functions, than promised. Times depend on the machine and are only printed.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.scenes import driver
from lab.scenes.bring_up import bring_up
from lab.traffic.load import Load
from lab.world import World
from tests.support.waiting import PATIENCE, eventually

ENVIRONMENT, SERVICE = "production", "backend-api"
OUTPUT = Path("build/bench-release")
# From the trigger to ModifyRule, which is one of them: what the design promises (docs/decisions/0035).
MOST_CALLS, MOST_FUNCTIONS = 6, 2
# Whose releases are taken back, each by another way.
WAYS = {"alertmanager": "website", "cloudwatch": "api-gateway", "candlefish rollback": SERVICE}
# So many users a second while a canary is judged.
RATE = 120.0
# What a process asks once and keeps, as whose it is; a warm one asks none of it.
KEPT = frozenset({"GetSecretValue"})


def main() -> int:
    """Measure, print, write."""
    logging.basicConfig(level=logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        bring_up(world, (ENVIRONMENT,), tuple(WAYS.values()))
        # Nobody visits yet: the ways are counted, not raced.
        ways: dict[str, Any] = {}
        for way, service in WAYS.items():
            ways[way] = taken_back(world, way, service)
            # Told at once: on a slow machine the canary takes its time, or does not arrive.
            show_way(way, ways[way])
        site = world.sites[ENVIRONMENT]
        host = world.status()["environments"][ENVIRONMENT]["hosts"][SERVICE]
        load = Load(site.port, [host], RATE)
        load.start()
        try:
            measured: dict[str, Any] = {"ways": ways, "canary": canary(world)}
        finally:
            load.stop()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "release.json").write_text(json.dumps(measured, indent=2) + "\n")
    show(measured["canary"])
    kept = all(
        len(way["calls"]) <= MOST_CALLS and len(way["functions"]) <= MOST_FUNCTIONS for way in ways.values()
    )
    return 0 if kept else 1


def taken_back(world: World, way: str, service: str) -> dict[str, Any]:
    """Take back a release with a part of the traffic: the AWS calls and functions up to ModifyRule, and how long it took."""
    release = driver.start_release(world, ENVIRONMENT, service, "1.2.0", by="developer")
    driver.wait_for_entry(world, ENVIRONMENT, release, "shifted", PATIENCE)
    record = driver.record(world, ENVIRONMENT, service)
    warm_up(world, service)
    began = time.time()
    trigger = {"alertmanager": by_alertmanager, "cloudwatch": by_cloudwatch, "candlefish rollback": by_hand}
    trigger[way](world, service, release)
    # Its machine may have heard that it was overtaken, and ended, before its timeline says why.
    eventually(lambda: driver.record(world, ENVIRONMENT, service)["generation"] > record["generation"])
    eventually(lambda: driver.record(world, ENVIRONMENT, service)["rollback"] is None)
    seen = [c for c in world.aws.gateway.calls if c.at >= began and is_on_the_way(way, c.caller, c.operation)]
    place = next(i for i, call in enumerate(seen) if call.operation == "ModifyRule")
    calls = without_other_deliveries(seen[: place + 1])
    return {
        "calls": [f"{call.service}:{call.operation}" for call in calls],
        "functions": [*filter(None, dict.fromkeys(function_of(call.caller) for call in calls))],
        "seconds_to_modify_rule": round(calls[-1].at - began, 3),
    }


def without_other_deliveries(calls: list[Any]) -> list[Any]:
    """Calls up to ModifyRule without what handle_signal did before about other news, as alarms of the lab say it.

    What a delivery is decided by is read first, in one call, so the last of these begins the one that wrote the rule.
    """
    reads = [n for n, c in enumerate(calls) if is_deciding(c.caller) and c.operation == "BatchGetItem"]
    return [c for n, c in enumerate(calls) if n >= max(reads, default=0) or not is_deciding(c.caller)]


def is_deciding(caller: str) -> bool:
    """Whether a call is handle_signal's."""
    return function_of(caller) == "handle-signal"


def warm_up(world: World, service: str) -> None:
    """Let processes ask what they keep, by an alert that has ended; returns when it has been handled."""
    asked = time.time()
    post(world, {**alert("Watchdog", service), "status": "resolved", "endsAt": stamp(time.time())})

    def handled() -> bool:
        # What is known of the alert is written last, after the log.
        since = (
            c for c in world.aws.gateway.calls if c.at >= asked and function_of(c.caller) == "handle-signal"
        )
        operations = [call.operation for call in since]
        return "BatchWriteItem" in operations and operations[-1] == "PutItem"

    eventually(handled)


# The functions that each way may pass through, in their order.
THROUGH = {
    "alertmanager": ("receive-alerts", "handle-signal", "restore-traffic"),
    "cloudwatch": ("handle-signal", "restore-traffic"),
    "candlefish rollback": ("request-release", "restore-traffic"),
}
ON_THE_WAY = tuple(dict.fromkeys(name for names in THROUGH.values() for name in names))


def function_of(caller: str) -> str:
    """The short name of the function that a call was made by; empty for anybody else."""
    return next((name for name in ON_THE_WAY if caller.endswith(name)), "")


def is_on_the_way(way: str, caller: str, operation: str) -> bool:
    """Whether a call is one of a function on the way, and no answer that a warm process keeps.

    Who asks is found by a question to STS that the person signed: it is theirs.
    """
    return operation == "GetCallerIdentity" or (function_of(caller) in THROUGH[way] and operation not in KEPT)


def by_alertmanager(world: World, service: str, release: str) -> None:
    """As Alertmanager posts it, with its token."""
    post(world, alert("ServiceDown", service))


def by_cloudwatch(world: World, service: str, release: str) -> None:
    """As CloudWatch says that an alarm's state changed."""
    slot = next(
        s for s, weight in driver.record(world, ENVIRONMENT, service)["desired"].items() if 0 < weight < 100
    )
    cloudwatch = world.clients(world.sites[ENVIRONMENT].region)("cloudwatch")
    name = f"candlefish/{ENVIRONMENT}/{service}/errors-critical/{slot}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="bench",
        MetricName="none",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="benchmark")


def by_hand(world: World, service: str, release: str) -> None:
    """As the command asks for it: at the endpoint that knows who calls."""
    request = {"service": service, "reason": "benchmark", "disposition": "rejected"}
    driver.ask(world, ENVIRONMENT, "rollback", f"{release}-by-hand", request, person="platform-lead")


def alert(name: str, service: str) -> dict[str, Any]:
    """An alert that began now, as Alertmanager words it."""
    labels = {"alertname": name, "service": service, "environment": ENVIRONMENT, "severity": "critical"}
    return {"status": "firing", "labels": labels, "startsAt": stamp(time.time())}


def stamp(at: float) -> str:
    """A time as Alertmanager writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def post(world: World, one: dict[str, Any]) -> None:
    """Post an alert to the endpoint.

    Raises
    ------
    urllib.error.HTTPError
        It was not taken.
    """
    body = json.dumps({"version": "4", "alerts": [one]}).encode()
    token = driver.alert_token(world, ENVIRONMENT)
    url = world.sites[ENVIRONMENT].stack.outputs["AlertsUrl"]
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answered:
        assert answered.status == 202


def canary(world: World) -> dict[str, Any]:
    """Promote a version: how long the machine took, and how much of that was configured waiting.

    The lab's minutes are seconds, in which a busy machine may not get Pods ready: then it is tried once more.

    Raises
    ------
    RuntimeError
        It did not arrive, twice; the message says why.
    """
    for again in (False, True):
        described = promoted(world, again)
        if described["status"] == "SUCCEEDED":
            return timed(history(world, described["executionArn"]))
    raise RuntimeError(f"the canary did not arrive: {described.get('error')}: {described.get('cause')}")


def promoted(world: World, again: bool) -> dict[str, Any]:
    """The execution that released a version, answered whenever it asked, as Step Functions describes its end."""
    more: dict[str, Any] = {"allow_bad": True} if again else {}
    release = driver.start_release(world, ENVIRONMENT, SERVICE, "1.1.0", by="developer", **more)
    answered = 0
    while driver.execution(world, ENVIRONMENT, release)["status"] == "RUNNING":
        kinds = [entry["kind"] for entry in driver.timeline(world, ENVIRONMENT, release)]
        if kinds.count("approval_requested") > answered:
            answered += 1
            driver.answer(world, ENVIRONMENT, release, "approved", person="platform-lead")
        time.sleep(0.1)
    return driver.execution(world, ENVIRONMENT, release)


def timed(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What an execution's history says of its time, in seconds."""
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


def show_way(way: str, back: dict[str, Any]) -> None:
    """Print what a way to ModifyRule was."""
    table = Table(f"{way}, to ModifyRule", "", box=None)
    table.add_row("AWS calls", f"{len(back['calls'])} of at most {MOST_CALLS}")
    table.add_row("functions", f"{len(back['functions'])} ({', '.join(back['functions'])})")
    table.add_row("the calls", " > ".join(back["calls"]))
    table.add_row("from the trigger", f"{back['seconds_to_modify_rule']} s")
    Console().print(table)


def show(forth: dict[str, Any]) -> None:
    """Print what a canary took."""
    table = Table("measured", "value", box=None)
    table.add_row("canary: from start to promoted", f"{forth['seconds']} s, {forth['states']} states")
    table.add_row("canary: configured waits and approval", f"{forth['configured_waits']} s")
    table.add_row("canary: control plane", f"{forth['control_plane_seconds']} s")
    table.add_row("canary: history events", f"{forth['history_events']} of 25,000")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
