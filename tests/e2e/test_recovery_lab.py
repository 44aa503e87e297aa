"""Failovers and a drill through the deployed stacks of two regions, with real databases behind RDS.

The application writes through the endpoint all the time; what it saw is compared with what was measured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.databases.postgres import missing
from lab.scenes.recovery.failovers import start_by_signal, wait_for_machine
from lab.scenes.recovery.plans import PLANS, TTL
from lab.scenes.recovery.two_regions import start
from tests.support.catalogs import FIXTURES
from tests.support.waiting import PATIENCE

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory: Path = tmp_path_factory.mktemp("recovery")
    made = start(directory, lambda text: None)
    _stand_by(directory / "catalog")
    try:
        yield made
    finally:
        made.down()


def _stand_by(folder: Path) -> None:
    """The catalog of this checkout with what the lab has: a control plane in the recovery region."""
    shutil.copytree(FIXTURES, folder)
    production = folder / "environments/production.yaml"
    text = production.read_text()
    assert "standby: false" in text
    production.write_text(text.replace("standby: false", "standby: true"))


@pytest.fixture(scope="module")
def reports(world: Any) -> dict[str, Any]:
    """Every plan once, in the order in which they make sense."""
    return {name: plan(world) for name, plan in PLANS.items()}


def test_every_plan_comes_to_its_end(reports: dict[str, Any]) -> None:
    assert {name: report["status"] for name, report in reports.items()} == dict.fromkeys(reports, "done")


@pytest.mark.parametrize("plan", ["database-in-region", "database-cross-region", "database-failback"])
def test_the_application_was_down_no_longer_than_was_measured(reports: dict[str, Any], plan: str) -> None:
    report = reports[plan]
    print(f"{plan}: down for {report['client']['downtime']} s, measured {report['lab_seconds']['rto']:.2f} s")
    # It resolves the record anew after its TTL.
    assert report["client"]["downtime_at_least"] <= report["lab_seconds"]["rto"] + TTL
    assert report["client"]["downtime"] > 0
    assert report["client"]["failed"] > 0


@pytest.mark.parametrize("plan", ["database-in-region", "database-cross-region", "database-failback"])
def test_no_more_was_lost_than_was_measured(reports: dict[str, Any], plan: str) -> None:
    report = reports[plan]
    assert report["lab_seconds"]["rpo_source"] in ("sentinel", "caught up")
    assert report["client"]["loss_at_least"] <= report["lab_seconds"]["rpo_at_most"] + 0.1


def test_what_is_synchronous_or_planned_loses_nothing(reports: dict[str, Any]) -> None:
    assert reports["database-in-region"]["client"]["acknowledged_but_lost"] == 0
    assert reports["database-failback"]["client"]["acknowledged_but_lost"] == 0


def test_killed_right_after_each_change_of_the_database_it_still_promotes_once(
    world: Any, reports: dict[str, Any]
) -> None:
    # ModifyDBInstance, RebootDBInstance, PromoteReadReplica: done, and the executor dead.
    assert reports["database-cross-region"]["executor_killed"] == 3
    promotions = [
        c for c in world.aws.gateway.calls if c.operation == "PromoteReadReplica" and c.status in (0, 200)
    ]
    # One there and one back.
    assert len(promotions) == 2


def test_a_drill_leaves_nothing_behind(reports: dict[str, Any]) -> None:
    assert reports["drill"]["instances_left"] == ["example-production"]
    assert reports["drill"]["lab_seconds"]["restore_time"] > 0


def test_users_of_every_service_are_led_to_answers_in_the_other_region(reports: dict[str, Any]) -> None:
    assert set(reports["application"]["led"].values()) == {True}
    assert set(reports["application"]["answers"].values()) == {200}


BUNDLED_ROW = {"pk": {"S": "stable#production"}, "sk": {"S": "api-gateway"}}


def bundle_there(world: Any) -> str:
    """Where the other region would read the bundle of what came as one."""
    client = world.clients(world.away)("dynamodb")
    item = client.get_item(TableName="candlefish-production", Key=BUNDLED_ROW)["Item"]
    return str(json.loads(item["body"]["S"])["bundle"])


def test_the_other_region_had_the_bundle_of_what_came_as_one(world: Any, reports: dict[str, Any]) -> None:
    assert f"-{world.away}/" in bundle_there(world)


def test_a_signal_fails_over_what_the_policy_allows(reports: dict[str, Any]) -> None:
    report = reports["cache-in-region"]
    assert report["requested_by"] == "signal:4f1c2a7be0d93a55"
    assert report["lab_seconds"]["detect"] >= 1


def test_a_signal_is_refused_with_the_reason_while_the_last_failover_cools_down(
    world: Any, reports: dict[str, Any]
) -> None:
    ended = wait_for_machine(world, start_by_signal(world, "database/main"))
    assert (ended["status"], ended["error"]) == ("FAILED", "FailoverRefused")
    assert "did the same" in ended["cause"]


def test_the_sweep_finds_nothing_of_drills_that_ended_well(world: Any, reports: dict[str, Any]) -> None:
    assert world.call(world.home, "step-drill", {"do": "sweep"}) == []


# --- the same from a terminal -----------------------------------------------------------------


def command(world: Any, person: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `candlefish` as a person of the lab."""
    environment = {
        **os.environ,
        "PYTHONPATH": "layers/control_plane:.",
        "CANDLEFISH_CATALOG": str(world.directory / "catalog"),
        **world.signed_in(person),
        "COLUMNS": "150",
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=Path(__file__).parents[2],
    )


HOME_AGAIN = (
    "failover",
    "cache/sessions",
    "-e",
    "production",
    "--kind",
    "cache-cross-region",
    "--to",
    "us-west-2",
)


def test_a_plan_is_shown_and_nothing_happens(world: Any, reports: dict[str, Any]) -> None:
    shown = command(world, "platform-lead", *HOME_AGAIN, "--plan")
    print(shown.stdout, shown.stderr)
    assert shown.returncode == 0
    assert "verdict: asks for: go" in shown.stdout
    assert "cache-promote/sessions: make the target region the Global Datastore's primary" in shown.stdout
    report = command(world, "platform-lead", "recovery", "report", "-e", "production")
    print(report.stdout, report.stderr)
    assert report.stdout.count("cache-cross-region") == 1


def test_a_failover_from_a_terminal_takes_two_people(world: Any, reports: dict[str, Any]) -> None:
    asked = command(world, "platform-lead", *HOME_AGAIN, "--reason", "us-west-2 is back")
    print(asked.stdout, asked.stderr)
    assert asked.returncode == 5
    approve = ("failover", "cache/sessions", "-e", "production", "--approve", "--reason", "seen")
    assert f"candlefish {' '.join(approve[:-2])}" in asked.stdout
    own = command(world, "platform-lead", *approve)
    assert own.returncode == 4
    assert "cannot approve it; ask another approver" in own.stderr
    followed = command(world, "product-lead", *approve)
    print(followed.stdout, followed.stderr)
    assert followed.returncode == 0
    assert "is done: every step of the plan is done" in followed.stdout


def test_the_evidence_is_shown(world: Any, reports: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    shown = command(world, "product-lead", "recovery", "report", "-e", "production", "--write", str(file))
    print(shown.stdout, shown.stderr)
    assert shown.returncode == 0
    for words in (
        "database-in-region",
        "database-failback",
        "sentinel",
        "RTO: ",
        "of 4 h, in the ",
        "drill of main: restored in ",
    ):
        assert words in shown.stdout
    assert file.stat().st_size > 1000


def test_the_audit_says_what_is_not_well(world: Any, reports: dict[str, Any]) -> None:
    # A promotion that the other region was not told of: the audit makes up for it, bundle and all.
    there = bundle_there(world)
    bucket, _, key = there.removeprefix("s3://").partition("/")
    world.clients(world.away)("s3").delete_object(Bucket=bucket, Key=key)
    world.clients(world.away)("dynamodb").delete_item(TableName="candlefish-production", Key=BUNDLED_ROW)
    shown = command(world, "product-lead", "recovery", "audit", "-e", "production", "--now")
    print(shown.stdout, shown.stderr)
    assert shown.returncode == 1
    assert bundle_there(world) == there
    assert world.clients(world.away)("s3").head_object(Bucket=bucket, Key=key)
    assert "recovery-copy" in shown.stdout
    assert "rules pass" in shown.stdout
