"""Dry runs decide as the real thing does and change nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from candlefish.signals.dry_run import DryRunSources, run_dry
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery
from cli.respond import respond_command
from tests.support.catalogs import FIXTURES
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


def posted(tmp_path: Path, **labels: str) -> Path:
    """A file with what Alertmanager posts about one alert."""
    file = tmp_path / "alert.json"
    body = {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "ApplicationDown", **labels},
                "startsAt": "2026-11-24T10:00:00Z",
            }
        ],
    }
    file.write_text(json.dumps(body))
    return file


def test_a_missing_clue_is_named_and_written_and_comments_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(FIXTURES, folder)
    monkeypatch.setattr("cli.respond.CATALOG", folder)
    file = posted(tmp_path, job="shop-backend-api", severity="critical")
    ask = [str(file), "-e", "production"]
    said = CliRunner().invoke(respond_command, [*ask, "--dry-run", "--suppose", "promoted"])
    assert said.exit_code == 0, said.output
    assert "ApplicationDown is about other/ApplicationDown job=shop-backend-api" in said.output
    assert "add a clue for label job" in said.output
    before = (folder / "responses.yaml").read_text()
    written = CliRunner().invoke(respond_command, [*ask, "--add-clue"])
    assert written.exit_code == 0, written.output
    after = (folder / "responses.yaml").read_text()
    assert all(line in after for line in before.splitlines() if "#" in line)
    again = CliRunner().invoke(respond_command, [*ask, "--dry-run", "--suppose", "promoted"])
    assert "ApplicationDown is about service/backend-api" in again.output
    # Whoever asks twice writes once.
    CliRunner().invoke(respond_command, [*ask, "--add-clue"])
    assert (folder / "responses.yaml").read_text() == after


def test_no_clue_is_written_where_none_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(FIXTURES, folder)
    monkeypatch.setattr("cli.respond.CATALOG", folder)
    before = (folder / "responses.yaml").read_text()
    said = CliRunner().invoke(
        respond_command, [str(posted(tmp_path, job="node-exporter")), "-e", "production", "--add-clue"]
    )
    assert said.exit_code == 0 and "no clue is missing" in said.output
    assert (folder / "responses.yaml").read_text() == before


def test_respond_says_what_it_needs(tmp_path: Path) -> None:
    said = CliRunner().invoke(respond_command, [str(posted(tmp_path, job="x")), "-e", "production"])
    assert said.exit_code != 0 and "--add-clue" in said.output
