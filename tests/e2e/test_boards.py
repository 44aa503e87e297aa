"""Everything that the dashboards name of ours happens in a lab and is in its CloudWatch; the dashboard is the template's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from candlefish.measures import METRICS
from lab.scenes.boards import TIME_SCALE, Boards, uncounted
from lab.world import World
from tests.support.labs import Labs
from tools.boards import cloudwatch

pytestmark = [pytest.mark.lab, pytest.mark.long]


@contextmanager
def played(folder: Path) -> Iterator[Boards]:
    with World(folder / "lab", time_scale=TIME_SCALE) as world:
        boards = Boards(world, print)
        boards.play()
        yield boards


@pytest.fixture
def boards(labs: Labs) -> Boards:
    return labs.get(played)


def test_every_metric_of_the_table_is_counted(boards: Boards) -> None:
    counted = boards.counted()
    print(f"\n{counted}")
    assert uncounted(counted) == set()
    # The first one, with which the service was brought up, and the good one.
    assert counted["ReleasesPromoted"] == 2
    # The bad one, and the one that an alert took back: both had users.
    assert counted["ReleasesRolledBack"] == counted["ChangesFailed"] == 2
    assert counted["ChangesDelivered"] == 4
    assert counted["ReleasesRefused"] == 1


def test_it_is_of_its_environment_and_its_service(boards: Boards) -> None:
    for name, dimensions in boards.known():
        here = {"Environment": boards.environment}
        wanted = [here, {**here, "Service": boards.service}] if METRICS[name].by_service else [here]
        assert dimensions in wanted, name


def test_the_dashboard_is_the_templates_and_names_what_is_there(boards: Boards) -> None:
    body = boards.body()
    assert len(body["widgets"]) == len(cloudwatch.widgets())
    said = json.dumps(body)
    assert "${AWS::Region}" not in said and "${Environment}" not in said
    titles = [each["properties"].get("title") for each in body["widgets"]]
    assert titles == [each["properties"].get("title") for each in cloudwatch.widgets()]
    (alarms,) = [each for each in body["widgets"] if each["type"] == "alarm"]
    names = {arn.rpartition(":")[2] for arn in alarms["properties"]["alarms"]}
    found = boards.client("cloudwatch").describe_alarms(AlarmNames=sorted(names))["MetricAlarms"]
    assert {each["AlarmName"] for each in found} == names
