"""Dashboards: nothing is named that nobody reports, nothing of ours is left out, and Grafana's are what its schema says."""

from __future__ import annotations

import copy
import enum
import json
import re
import sys
import types
import typing
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models import cloudwatch as sdk_cloudwatch
from grafana_foundation_sdk.models.dashboard import Dashboard

from candlefish.measures import METRICS
from lab.templates import read_template
from tools.boards import cloudwatch, grafana
from tools.boards.__main__ import TEMPLATE, wanted
from tools.boards.lint import problems

# What Prometheus' plugin reads of its annotations beside what all annotations have: a schema of Grafana itself has none of it.
PLUGINS_OWN = r"\$\.annotations\.list\[\d+\]\.(titleFormat|step)"
BOARDS = {name: json.loads(text) for name, text in grafana.files().items() if name.endswith(".json")}


def test_they_are_what_is_made() -> None:
    """`python -m tools.boards` writes them."""
    assert [str(path) for path, text in wanted().items() if path.read_text() != text] == []


def test_every_metric_is_reported_and_every_one_of_ours_is_shown() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            ["Candlefish", "ReleasesLost", "Environment", "${Environment}", {}],
            "has no ReleasesLost by Environment",
        ),
        (["Candlefish", "LeadTime", "Service", "api", {}], "has no LeadTime by Service"),
        (
            ["Candlefish", "CostTarget", "Environment", "x", "Service", "y", {}],
            "has no CostTarget by Environment, Service",
        ),
        (["AWS/SQS", "Depth", "QueueName", "${SignalsQueue.QueueName}", {}], "AWS reports no AWS/SQS Depth"),
        (
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "${Table}", {}],
            "is no QueueName of a AWS::SQS::Queue",
        ),
        (["AWS/Lambda", "Errors", "FunctionName", "${GoneFunction}", {}], "is no FunctionName"),
        (
            [{"expression": "SEARCH('{Candlefish,Environment,Service} MetricName=\"Gone\"', 'Sum', 60)"}],
            "has no Gone",
        ),
        ([{"expression": "100 * nothing"}], "nobody knows what"),
    ],
)
def test_what_nobody_reports_is_found(change: list[Any], why: str) -> None:
    widgets = copy.deepcopy(cloudwatch.widgets())
    next(each for each in widgets if each["type"] == "metric")["properties"]["metrics"].append(change)
    assert any(why in each for each in problems(widgets=widgets)), problems(widgets=widgets)


def test_an_alarm_that_is_gone_is_found() -> None:
    widgets = copy.deepcopy(cloudwatch.widgets())
    next(each for each in widgets if each["type"] == "alarm")["properties"]["alarms"] = ["${GoneAlarm.Arn}"]
    assert any("no alarm of the template" in each for each in problems(widgets=widgets))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_that_is_shown_nowhere_is_found(name: str) -> None:
    found = problems(widgets=[], boards=[])
    assert f"template.yaml: nothing shows {name}" in found
    assert f"monitoring/grafana: nothing shows {name}" in found


def test_the_body_is_json_whose_widgets_do_not_overlap() -> None:
    said = read_template(TEMPLATE)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(said)["widgets"]
    assert len(widgets) <= 500
    taken: set[tuple[int, int]] = set()
    for each in widgets:
        cells = {
            (x, y)
            for x in range(each["x"], each["x"] + each["width"])
            for y in range(each["y"], each["y"] + each["height"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells


# --- Grafana's own schema ----------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    plugins.register_default_plugins()


@pytest.mark.parametrize("name", BOARDS)
def test_grafana_reads_all_that_is_written(name: str) -> None:
    """Types that Grafana generates from its schema read the file; what they do not know, they would leave out."""
    read = Dashboard.from_json(BOARDS[name])
    left_out = list(lost(BOARDS[name], as_json(read), "$"))
    assert [each for each in left_out if not re.fullmatch(PLUGINS_OWN, each)] == []


@pytest.mark.parametrize("name", BOARDS)
def test_values_are_of_the_types_of_grafanas_schema(name: str) -> None:
    assert list(mistyped(Dashboard.from_json(BOARDS[name]), "$")) == []


def test_what_the_schema_does_not_know_is_found() -> None:
    board = copy.deepcopy(BOARDS["dashboards/candlefish-releases.json"])
    board["panels"][0]["colour"] = "red"
    board["panels"][1]["gridPos"]["w"] = "wide"
    read = Dashboard.from_json(board)
    assert list(lost(board, as_json(read), "$")) == ["$.panels[0].colour"]
    assert list(mistyped(read, "$"))
    (panel,) = [each for each in read.panels or [] if list(mistyped(each, "$"))]
    assert list(mistyped(panel.grid_pos, "$")) == ["$.w: 'wide' is no int"]


def test_queries_are_those_of_the_cloudwatch_plugin() -> None:
    for board in BOARDS.values():
        targets = [
            target for panel in Dashboard.from_json(board).panels or [] for target in panel.targets or []
        ]
        assert targets
        ours = [each for each in targets if isinstance(each, sdk_cloudwatch.CloudWatchMetricsQuery)]
        assert len(ours) == sum(
            target["datasource"]["type"] == "cloudwatch"
            for panel in board["panels"]
            for target in panel["targets"]
        )


def test_provisioning_is_yaml_that_names_the_folder() -> None:
    made = {name: yaml.safe_load(text) for name, text in grafana.files().items() if name.endswith(".yaml")}
    (provider,) = made["provisioning/dashboards/candlefish.yaml"]["providers"]
    assert provider["type"] == "file" and provider["options"]["path"]
    kinds = {each["type"] for each in made["provisioning/datasources/candlefish.yaml"]["datasources"]}
    assert kinds == {"cloudwatch", "prometheus"}


def as_json(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return {key: as_json(each) for key, each in value.to_json().items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, list) else value


def lost(written: Any, read: Any, where: str) -> typing.Iterator[str]:
    """Where what was read lacks, or has otherwise, what was written. None is what is not there."""
    if isinstance(written, dict):
        for key, value in written.items():
            if not isinstance(read, dict) or (key not in read and value is not None):
                yield f"{where}.{key}"
            elif key in read:
                yield from lost(value, read[key], f"{where}.{key}")
    elif isinstance(written, list):
        if not isinstance(read, list) or len(read) != len(written):
            yield where
        else:
            for at, (one, other) in enumerate(zip(written, read, strict=True)):
                yield from lost(one, other, f"{where}[{at}]")
    elif written != read:
        yield where


def mistyped(value: Any, where: str) -> typing.Iterator[str]:
    """Attributes of what was read that are not what its class says of them."""
    module = sys.modules[type(value).__module__]
    hints = typing.get_type_hints(type(value).__init__, {**vars(module), "typing": typing})
    for name, hint in hints.items():
        if name != "return" and hasattr(value, name):
            yield from _fits(getattr(value, name), hint, f"{where}.{name}")


def _fits(value: Any, hint: Any, where: str) -> typing.Iterator[str]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (typing.Any, object) or (value is None and (origin is None or type(None) in inner)):
        return
    if origin is typing.Literal:
        wrong = value not in inner
    elif origin in (typing.Union, types.UnionType):
        wrong = all(list(_fits(value, each, where)) for each in inner)
    elif origin is list:
        wrong = not isinstance(value, list)
        for at, each in enumerate(value if not wrong else ()):
            yield from _fits(each, inner[0], f"{where}[{at}]")
    elif origin is dict:
        wrong = not isinstance(value, dict)
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        wrong = value not in {each.value for each in hint} and not isinstance(value, hint)
    else:
        wrong = isinstance(hint, type) and not isinstance(value, (hint, int) if hint is float else hint)
        if not wrong and hasattr(value, "to_json"):
            yield from mistyped(value, where)
    if wrong:
        yield f"{where}: {value!r} is no {getattr(hint, '__name__', hint)}"
