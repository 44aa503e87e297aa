"""Dry runs decide as the real thing does and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from candlefish.signals.dry_run import DryRunSources, run_dry
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery
from cli.respond import respond_command
from tests.support.signal_world import World, alert, delivery

EVENTS = Path(__file__).parents[3] / "events" / "signals"


def sight_of(world: World) -> DryRunSources:
    return DryRunSources(
        environment="production",
        catalog=world.ports.catalog,
        guard=world.guards.get,
        seen=world.log.seen,
        record=world.records.get,
        release=world.journal.read,
        switched_off=world.switchboard.off,
        asleep=world.ports.asleep,
        now=world.clock,
    )


def deliveries(world: World) -> list[Delivery]:
    now = world.clock()
    return [
        delivery(alert(at=now), at=now),
        delivery(alert("LatencyHigh", at=now), alert("ErrorRateHigh", at=now), at=now),
        delivery(alert(at=now), alert("ErrorRateCritical", at=now), at=now),
        delivery(alert("DatabaseUnavailable", at=now, service="", database="main"), at=now),
        delivery(alert(at=now, environment="staging"), at=now),
        delivery(alert(at=now), at=now, truncated=1, total=2),
    ]


@pytest.mark.parametrize("situation", ["releasing", "promoted", "quiet"])
@pytest.mark.parametrize("off", [False, True])
def test_a_rehearsal_decides_as_the_real_thing_and_changes_nothing(situation: str, off: bool) -> None:
    for index in range(6):
        world: World = getattr(World(), situation)()
        if off:
            world.switchboard.tag = "off"
        before: Any = (
            world.guards.stored,
            dict(world.records.stored),
            world.log.lines[:],
            dict(world.log.known),
        )
        what = deliveries(world)[index]
        rehearsed = run_dry(what, sight_of(world))
        assert before == (
            world.guards.stored,
            world.records.stored,
            world.log.lines,
            world.log.known,
        )
        assert world.executions.started == [] and world.bus.published == []
        done = handle_signal(what, message="rehearsal", ports=world.ports)
        assert [line.decision for line in rehearsed.lines] == [line.decision for line in done]
        assert rehearsed.started == [(machine, name) for machine, name, _ in world.executions.started]
        assert rehearsed.published == world.bus.published


@pytest.mark.parametrize(
    ("file", "suppose", "words"),
    [
        ("alertmanager.json", "promoted", "would start respond rollback-service-backend-api-"),
        ("alertmanager.json", "quiet", "no rollback"),
        ("alertmanager-sns.json", "releasing", "would start respond rollback-"),
        ("cloudwatch-alarm.json", "releasing", "would start respond rollback-"),
        ("cloudwatch-composite.json", "promoted", "would start respond rollback-"),
        ("finding.json", "quiet", "backup-snapshot-age"),
    ],
)
def test_every_sample_can_be_tried_without_aws(file: str, suppose: str, words: str) -> None:
    arguments = [str(EVENTS / file), "-e", "production", "--dry-run", "--suppose", suppose]
    result = CliRunner().invoke(respond_command, arguments)
    assert result.exit_code == 0, result.output
    assert words in result.output


def test_without_dry_run_nothing_is_done() -> None:
    arguments = [str(EVENTS / "alertmanager.json"), "-e", "production", "--suppose", "promoted"]
    result = CliRunner().invoke(respond_command, arguments)
    assert result.exit_code == 2 and "--dry-run" in result.output
