"""Failovers and a drill through the deployed stacks of two regions, with real databases behind RDS.

The application writes through the endpoint all the time; what it saw is compared with what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.postgres import missing

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from lab.recovery import bring_up

    directory: Path = tmp_path_factory.mktemp("recovery")
    made = bring_up(directory, lambda text: None)
    try:
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def reports(world: Any) -> dict[str, Any]:
    """Every plan once, in the order in which they make sense."""
    from lab.recovery import PLANS

    return {name: plan(world) for name, plan in PLANS.items()}


def test_every_plan_comes_to_its_end(reports: dict[str, Any]) -> None:
    assert {name: report["status"] for name, report in reports.items()} == dict.fromkeys(reports, "done")


@pytest.mark.parametrize("plan", ["database-in-region", "database-cross-region", "database-failback"])
def test_the_application_was_down_no_longer_than_was_measured(reports: dict[str, Any], plan: str) -> None:
    report = reports[plan]
    measured = report["lab_seconds"]["rto"]
    # It resolves the record anew after its TTL, a second of the lab.
    assert 0 < report["client"]["downtime"] <= measured + 2.5
    assert report["client"]["failed"] > 0


@pytest.mark.parametrize("plan", ["database-in-region", "database-cross-region", "database-failback"])
def test_no_more_was_lost_than_was_measured(reports: dict[str, Any], plan: str) -> None:
    report = reports[plan]
    assert report["lab_seconds"]["rpo_source"] == "sentinel"
    assert report["client"]["loss"] <= report["lab_seconds"]["rpo_at_most"] + 0.1


def test_what_is_synchronous_or_planned_loses_nothing(reports: dict[str, Any]) -> None:
    assert reports["database-in-region"]["client"]["acknowledged_but_lost"] == 0
    assert reports["database-failback"]["client"]["acknowledged_but_lost"] == 0


def test_a_drill_leaves_nothing_behind(reports: dict[str, Any]) -> None:
    assert reports["drill"]["instances_left"] == ["candlefish-production"]
    assert reports["drill"]["lab_seconds"]["restore_time"] > 0


def test_users_of_every_service_are_led_to_answers_in_the_other_region(reports: dict[str, Any]) -> None:
    assert set(reports["application"]["led"].values()) == {True}
    assert set(reports["application"]["answers"].values()) == {200}
