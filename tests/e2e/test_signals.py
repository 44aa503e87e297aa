"""From the first bad answer to the traffic restored: real handlers, machines, traffic and monitoring.

By CloudWatch's alarms, and in a storm: tests/scenarios/signals. Run with `-s` to see the times. The lab runs thirty times as fast as the catalog says.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.faults import Fault
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import alert_token, record
from lab.scenes.monitoring import Monitoring, programs
from lab.scenes.signals import promote, signals, turn_bad
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import PATIENCE, rounds

ENVIRONMENT = "production"
SERVICE = "website"
VERSION = "1.1.0"


@contextmanager
def promoted(folder: Path) -> Iterator[World]:
    """Production with one service, whose release was just promoted."""
    window = ("strategies.yaml", "rollback_window: 1h", "rollback_window: 3h")
    with World(folder / "lab", time_scale=30, catalog=quick_catalog(folder / "catalog", window)) as made:
        bring_up(made, (ENVIRONMENT,), (SERVICE,))
        promote(made, ENVIRONMENT, SERVICE, VERSION, seconds=PATIENCE)
        yield made


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(promoted)


@pytest.fixture
def no_alarms(world: World) -> Iterator[None]:
    """No CloudWatch alarm of the website, so that Prometheus is the only one to tell."""
    cloudwatch = world.clients(world.sites[ENVIRONMENT].region)("cloudwatch")
    # The function that would make them again fails meanwhile.
    broken = Fault(
        boundary="function", kind="error", service=f"candlefish-{ENVIRONMENT}-sync-alarms", count=None
    )
    fault = world.faults.add(broken)
    # One that was at work already may still write some.
    for pause in (2.0, 0.0):
        found = cloudwatch.describe_alarms(
            AlarmNamePrefix=f"candlefish/{ENVIRONMENT}/website/", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        names = [a["AlarmName"] for a in (*found["MetricAlarms"], *found["CompositeAlarms"])]
        cloudwatch.delete_alarms(AlarmNames=names)
        time.sleep(pause)
    yield
    world.faults.remove(fault)


@pytest.mark.skipif(
    programs() is None, reason="needs Debian's prometheus and prometheus-alertmanager (apt-get install)"
)
@pytest.mark.usefixtures("no_alarms")
def test_prometheus_and_alertmanager_roll_back_what_turned_bad(world: World) -> None:
    with Monitoring(world, ENVIRONMENT, alertmanagers=2):
        seen = turn_bad(world, ENVIRONMENT, SERVICE, VERSION, seconds=PATIENCE)
        print(f"\nPrometheus and Alertmanager, time scale {world.time_scale:g}\n{seen.report()}")
        check_one_rollback(world, SERVICE)
    assert seen.source == "alertmanager" and seen.alert == "ErrorRateCritical"
    assert 0 < seen.detected < seen.delivered < seen.decided < seen.restored


def lines_of(world: World, service: str) -> list[dict[str, Any]]:
    return [line for line in signals(world, ENVIRONMENT) if line["signal"]["subject"] == service]


def check_one_rollback(world: World, service: str) -> None:
    """One response, it took effect, and the rollback says which signal asked for it."""
    for _ in rounds(lambda: f"no response of {service} ended: {lines_of(world, service)}"):
        lines = lines_of(world, service)
        ended = [line for line in lines if line.get("outcome")]
        if ended:
            break
    assert [line["outcome"] for line in ended] == ["done"]
    decided = [line for line in lines if line["decision"]["action"] == "rollback" and not line.get("outcome")]
    assert len({line["response"] for line in decided}) == 1
    stored = record(world, ENVIRONMENT, service)
    assert stored["desired"][stored["stable"]] == 100
    assert stored["slots"]["blue"]["state"] == "bad"


def post(world: World, token: str, alerts: list[dict[str, Any]], **more: Any) -> int:
    body = json.dumps(
        {"version": "4", "groupKey": "{}", "status": "firing", "alerts": alerts, **more}
    ).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    request = urllib.request.Request(world.sites[ENVIRONMENT].stack.outputs["AlertsUrl"], body, headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except ConnectionResetError:
            # Too many at once for the socket's backlog; Alertmanager posts again as well.
            time.sleep(0.1)


def test_tokens_and_bodies_get_the_right_status_and_leave_no_secret_in_the_logs(world: World) -> None:
    token = alert_token(world, ENVIRONMENT)
    assert post(world, "wrong", []) == 401
    assert post(world, "", []) == 401
    assert post(world, token, [{"status": "firing"}]) == 400
    assert post(world, token, []) == 202
    logs = "".join(path.read_text(errors="replace") for path in world.directory.rglob("*.log"))
    assert "401: " in logs, "the logs of the endpoint are not here"
    assert token not in logs
