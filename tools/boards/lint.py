"""What dashboards name is reported: by us (candlefish/measures.py), or by AWS for a resource of template.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from candlefish.measures import METRICS, NAMESPACE
from lab.templates import read_template
from tools.boards import cloudwatch, grafana
from tools.layers import ROOT

# Namespace, dimension -> what the value of the dimension is in a template (the type of a resource, and the attribute, empty
# for Ref), and the metrics that AWS reports with it.
AWS = {
    ("AWS/SQS", "QueueName"): (
        ("AWS::SQS::Queue", "QueueName"),
        {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
    ),
    ("AWS/Lambda", "FunctionName"): (
        ("AWS::Serverless::Function", ""),
        {"Duration", "Errors", "Invocations", "Throttles"},
    ),
    ("AWS/States", "StateMachineArn"): (
        ("AWS::Serverless::StateMachine", ""),
        {"ExecutionsFailed", "ExecutionsStarted", "ExecutionTime"},
    ),
}
# Of the load balancers that services have, which the template does not make.
FOUND = {("AWS/ApplicationELB", "RequestCount")}
SEARCHED = re.compile(r"""SEARCH\('\{([\w/]+),([\w,]+)\} MetricName="(\w+)"[^']*', '(\w+)', \d+\)""")


def problems(
    widgets: Iterable[dict[str, Any]] | None = None, boards: Iterable[dict[str, Any]] | None = None
) -> list[str]:
    """What a dashboard names that nobody reports, and what of ours no dashboard shows; empty when all is well."""
    widgets = cloudwatch.widgets() if widgets is None else list(widgets)
    boards = [grafana.releases(), grafana.services()] if boards is None else list(boards)
    resources = read_template(ROOT / "template.yaml")["Resources"]
    found = [
        f"template.yaml, Dashboard, {widget['properties'].get('title', 'a text')!r}: {why}"
        for widget in widgets
        for why in _widget(widget, resources)
    ]
    found += [
        f"monitoring/grafana, {board['title']}, {panel['title']!r}: {why}"
        for board in boards
        for panel in board["panels"]
        for target in panel["targets"]
        if target["datasource"]["type"] == "cloudwatch" and target["metricName"]
        for why in _named(target["namespace"], target["metricName"], list(target["dimensions"]))
    ]
    for place, text in (("template.yaml", json.dumps(widgets)), ("monitoring/grafana", json.dumps(boards))):
        found += [
            f"{place}: nothing shows {name}" for name in METRICS if not re.search(rf'\W"?{name}\W', text)
        ]
    return found


def _widget(widget: dict[str, Any], resources: dict[str, Any]) -> Iterator[str]:
    properties = widget["properties"]
    if widget["type"] == "alarm":
        for arn in properties["alarms"]:
            logical = arn.removeprefix("${").removesuffix(".Arn}")
            if resources.get(logical, {}).get("Type") != "AWS::CloudWatch::Alarm":
                yield f"{arn} is no alarm of the template"
    for metric in properties.get("metrics", ()):
        first = metric[0]
        if isinstance(first, dict):
            yield from _expression(first["expression"], properties["metrics"])
            continue
        namespace, name, *dimensions = metric[:-1]
        names, values = dimensions[::2], dimensions[1::2]
        if namespace in (NAMESPACE, "AWS/ApplicationELB"):
            yield from _named(namespace, name, names)
            continue
        (wanted, attribute), reported = AWS.get((namespace, names[0]), (("", ""), set()))
        if name not in reported:
            yield f"AWS reports no {namespace} {name} by {', '.join(names)}"
        logical, _, asked = values[0].removeprefix("${").removesuffix("}").partition(".")
        if (resources.get(logical, {}).get("Type"), asked) != (wanted, attribute):
            yield f"{values[0]} is no {names[0]} of a {wanted} of the template"


def _named(namespace: str, name: str, dimensions: list[str]) -> Iterator[str]:
    if namespace != NAMESPACE:
        if (namespace, name) not in FOUND:
            yield f"AWS reports no {namespace} {name} for anything that services have"
        return
    metric = METRICS.get(name)
    reported = [["Environment"]] + ([["Environment", "Service"]] if metric and metric.by_service else [])
    if metric is None or dimensions not in reported:
        yield f"candlefish/measures.py has no {name} by {', '.join(dimensions)}"


def _expression(text: str, metrics: list[Any]) -> Iterator[str]:
    if searched := SEARCHED.fullmatch(text):
        namespace, dimensions, name, _ = searched.groups()
        yield from _named(namespace, name, dimensions.split(","))
        return
    ids = {each[-1].get("id") for each in metrics if isinstance(each[-1], dict)}
    used = set(re.findall(r"\b[a-z]\w*\b", text))
    if text.startswith("SEARCH") or not used or used - ids:
        yield f"nobody knows what {text!r} is made of"
