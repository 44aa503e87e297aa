"""Drills as their machine and schedules ask for them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.backups.model import BackupSignal, DrillStepInput
from candlefish.backups.step_drill import step_drill
from candlefish.errors import BackupUnusable, InvalidInput
from tests.support.drills import Region
from tests.support.failover.catalog import ENVIRONMENT


def step(region: Region, do: str, *rest: str) -> Any:
    return step_drill(DrillStepInput(do, *rest), ports=region.ports(), poll=15.0)  # type: ignore[arg-type]


def play(region: Region) -> Any:
    assert step(region, "list") == ["main"]
    step(region, "begin", "q4-main", "main")
    for _ in range(200):
        moved = step(region, "move", "q4-main")
        if moved.done:
            return moved
        region.clock.forward(max(1.0, moved.look_again))
    raise AssertionError(moved)


def signals(region: Region) -> list[BackupSignal]:
    assert {kind for kind, _ in region.events.published} == {"finding"}
    return [msgspec.convert(detail, BackupSignal) for _, detail in region.events.published]


def test_a_drill_that_passed_resolves_its_signal() -> None:
    region = Region()
    moved = play(region)
    assert moved.outcome == "passed"
    assert [(s.name, s.status, s.labels["about"]) for s in signals(region)] == [
        ("backup-drill", "resolved", "database/main")
    ]


def test_a_drill_that_failed_is_a_signal() -> None:
    region = Region()

    def broken() -> dict[str, Any]:
        raise BackupUnusable("invalid page in block 3")

    region.finding = broken
    moved = play(region)
    assert moved.outcome == "failed"
    assert (signals(region)[0].status, "invalid page in block 3" in signals(region)[0].summary) == (
        "firing",
        True,
    )


def test_the_sweep_deletes_what_a_crash_left_and_no_drill_of_today() -> None:
    region = Region()
    step(region, "begin", "q4-main", "main")
    step(region, "move", "q4-main")
    region.clock.forward(900)
    assert step(region, "sweep") == []
    # The drill's record is gone, its instance is not: nobody will delete it any more.
    region.drills.stored.clear()
    (left,) = step(region, "sweep")
    assert left.startswith("candlefish-drill-")
    region.clock.forward(100)
    assert set(region.instances) == {"orders"}


def test_an_environment_without_a_place_for_drills_says_so() -> None:
    region = Region()
    region.environment = ENVIRONMENT
    with pytest.raises(InvalidInput, match="no database of production has a scratch place"):
        step(region, "list")
