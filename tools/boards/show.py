"""Fills the dashboards from a lab and draws them into docs/images: python -m tools.boards.show

A lab makes everything happen that is counted (lab/scenes/boards.py). Then each widget of the dashboard that was deployed,
and each CloudWatch panel of Grafana's, is asked of the lab's CloudWatch with its own metrics, and drawn. The drawing is
ours: what the console and Grafana make of the same numbers looks otherwise. A lab's day is seconds, so all are asked for
the lab's own minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from lab import CATALOG
from lab.scenes.boards import TIME_SCALE, Boards
from lab.world import World
from tools.boards import grafana
from tools.boards.cloudwatch import BLUE, GREY
from tools.boards.lint import SEARCHED
from tools.layers import ROOT

IMAGES = ROOT / "docs/images"
# How many points a curve has.
POINTS = 60
PALETTE = (BLUE, GREY, "#b7791f", "#0f766e", "#7c3aed", "#475569", "#0891b2", "#be185d")
MUTED, INK = "#5b6270", "#15181e"

Series = list[tuple[float, float]]


class Curve(msgspec.Struct, frozen=True):
    """One metric of a panel, with its values over the time that is drawn and over all of it together."""

    label: str
    colour: str
    points: Series
    whole: float | None


class Panel(msgspec.Struct, frozen=True):
    """A widget with its numbers. `place` is x, y, width, height in 24ths of the width and rows; `until` is in seconds."""

    title: str
    place: tuple[int, int, int, int]
    kind: str
    curves: list[Curve]
    low: float | None = None
    high: float | None = None
    words: str = ""
    until: float = 0.0


class Asking:
    """Asks the lab's CloudWatch what widgets ask CloudWatch."""

    def __init__(self, boards: Boards) -> None:
        self._client = boards.client("cloudwatch")
        self._since, self._until = boards.began, time.time() + 1
        pages = self._client.get_paginator("list_metrics").paginate()
        self._known = [
            (each["Namespace"], each["MetricName"], {d["Name"]: d["Value"] for d in each["Dimensions"]})
            for page in pages
            for each in page["Metrics"]
        ]

    @property
    def length(self) -> float:
        """Seconds that are drawn."""
        return self._until - self._since

    def curve(self, queries: list[dict[str, Any]], period: float) -> Series:
        """The last query's values."""
        answer = self._client.get_metric_data(
            MetricDataQueries=queries,
            StartTime=datetime.fromtimestamp(self._since - period, UTC),
            EndTime=datetime.fromtimestamp(self._until, UTC),
        )
        found = answer["MetricDataResults"][-1]
        return sorted(
            (at.timestamp() - self._since, value)
            for at, value in zip(found["Timestamps"], found["Values"], strict=True)
        )

    def both(self, label: str, colour: str, queries: list[dict[str, Any]]) -> Curve:
        """The values over time, and the one over all of it."""
        # All of it is in one period, unless a day ends meanwhile.
        fine, coarse = max(1.0, round(self.length / POINTS)), 86400.0
        points = self.curve([_period(each, fine) for each in queries], fine)
        whole = self.curve([_period(each, coarse) for each in queries], coarse)
        return Curve(label, colour, points, whole[-1][1] if whole else None)

    def like(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """The dimensions of every metric of that name with just these dimensions; `*` is any value."""
        for found, metric, named in self._known:
            fits = all(value in ("*", named.get(key)) for key, value in dimensions.items())
            if (found, metric) == (namespace, name) and named.keys() == dimensions.keys() and fits:
                yield named


def _stat(id: str, namespace: str, name: str, dimensions: Mapping[str, str], stat: str) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, "ReturnData": True}


def _period(query: dict[str, Any], seconds: float) -> dict[str, Any]:
    if "MetricStat" not in query:
        return {**query, "Period": int(seconds)}
    return {**query, "MetricStat": {**query["MetricStat"], "Period": int(seconds)}}


# --- CloudWatch's ------------------------------------------------------------------------------


def of_cloudwatch(body: dict[str, Any], asking: Asking) -> list[Panel]:
    """The widgets of a dashboard that was deployed, filled."""
    return [_widget(each, asking) for each in body["widgets"]]


def _widget(widget: dict[str, Any], asking: Asking) -> Panel:
    said = widget["properties"]
    place = widget["x"], widget["y"], widget["width"], widget["height"]
    if widget["type"] == "text":
        return Panel("", place, "text", [], words=said["markdown"].lstrip("# "))
    if widget["type"] == "alarm":
        words = "\n".join(arn.rpartition(":")[2] for arn in said["alarms"])
        return Panel(said["title"], place, "alarm", [], words=words)
    hidden = [_spelled(each[-1]["id"], each) for each in said["metrics"] if "id" in each[-1]]
    curves = [
        curve for each in said["metrics"] if "id" not in each[-1] for curve in _curves(each, hidden, asking)
    ]
    left = said.get("yAxis", {}).get("left", {})
    kind = "value" if said["view"] == "singleValue" else "bars" if said["stacked"] else "lines"
    return Panel(
        said["title"], place, kind, _coloured(curves), left.get("min"), left.get("max"), until=asking.length
    )


def _spelled(id: str, metric: list[Any]) -> dict[str, Any]:
    """The query of a metric as a widget spells it."""
    namespace, name, *dimensions, drawn = metric
    return _stat(
        id, namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)), drawn["stat"]
    )


def _curves(metric: list[Any], hidden: list[dict[str, Any]], asking: Asking) -> Iterator[Curve]:
    first, drawn = metric[0], metric[-1]
    if not isinstance(first, dict):
        yield asking.both(drawn.get("label", metric[1]), drawn.get("color", ""), [_spelled("m", metric)])
        return
    searched = SEARCHED.fullmatch(first["expression"])
    if searched is None:
        query = {"Id": "e", "Expression": first["expression"], "ReturnData": True}
        yield asking.both(first["label"], first.get("color", ""), [*hidden, query])
        return
    namespace, dimensions_, name, stat = searched.groups()
    wanted = dict.fromkeys(dimensions_.split(","), "*")
    for found in asking.like(namespace, name, wanted):
        label = next(value for key, value in found.items() if f"'Dim.{key}'" in first["label"])
        yield asking.both(label.partition("/")[2] or label, "", [_stat("m", namespace, name, found, stat)])


# --- Grafana's ---------------------------------------------------------------------------------


def of_grafana(board: dict[str, Any], asking: Asking, environment: str) -> list[Panel]:
    """The panels of a dashboard that ask CloudWatch, filled."""
    found = []
    for panel in board["panels"]:
        if panel["datasource"]["type"] != "cloudwatch":
            continue
        named = [each for each in panel["targets"] if each["metricName"]]
        hidden = [_target(each, environment, each["id"]) for each in named if each["hide"]]
        curves: list[Curve] = []
        for target in panel["targets"]:
            if target["expression"]:
                query = {"Id": "e", "Expression": target["expression"], "ReturnData": True}
                curves.append(asking.both("", "", [*hidden, query]))
            elif not target["hide"]:
                dimensions = _dimensions(target, environment)
                for each in asking.like(target["namespace"], target["metricName"], dimensions):
                    query = _stat("m", target["namespace"], target["metricName"], each, target["statistic"])
                    label = _label(target["label"], each)
                    curves.append(asking.both(label or each.get("TargetGroup", ""), "", [query]))
        found.append(msgspec.structs.replace(_filled(panel, curves), until=asking.length))
    return found


def _label(said: str, dimensions: Mapping[str, str]) -> str:
    """A dynamic label: `${PROP('Dim.Service')}` is the value of that dimension."""
    for key, value in dimensions.items():
        said = said.replace(f"${{PROP('Dim.{key}')}}", value)
    return said


def _filled(panel: dict[str, Any], curves: list[Curve]) -> Panel:
    place, config = panel["gridPos"], panel["fieldConfig"]
    colours = {
        each["matcher"]["options"]: each["properties"][0]["value"]["fixedColor"]
        for each in config["overrides"]
    }
    fixed = config["defaults"].get("color", {}).get("fixedColor", "")
    curves = [msgspec.structs.replace(each, colour=colours.get(each.label, fixed)) for each in curves]
    drawn = config["defaults"].get("custom", {}).get("drawStyle", "")
    kind = "value" if panel["type"] == "stat" else "bars" if drawn == "bars" else "lines"
    return Panel(
        panel["title"],
        (place["x"], place["y"], place["w"], place["h"]),
        kind,
        _coloured(curves),
        config["defaults"].get("min"),
        config["defaults"].get("max"),
    )


def _dimensions(target: dict[str, Any], environment: str) -> dict[str, str]:
    return {key: value.replace("$environment", environment) for key, value in target["dimensions"].items()}


def _target(target: dict[str, Any], environment: str, id: str) -> dict[str, Any]:
    return _stat(
        id, target["namespace"], target["metricName"], _dimensions(target, environment), target["statistic"]
    )


def _coloured(curves: list[Curve]) -> list[Curve]:
    return [
        each if each.colour else msgspec.structs.replace(each, colour=PALETTE[at % len(PALETTE)])
        for at, each in enumerate(curves)
    ]


# --- the drawing -------------------------------------------------------------------------------


def draw(panels: list[Panel], path: Path, title: str) -> None:
    """All panels, where they stand."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = max(y + height for _, y, _, height in (each.place for each in panels))
    figure = plt.figure(figsize=(15, 0.52 * rows + 0.5), facecolor="#f7f7f5")
    figure.text(0.012, 1 - 0.16 / (0.52 * rows + 0.5), title, fontsize=10, color=MUTED, va="top")
    grid = figure.add_gridspec(
        rows,
        24,
        left=0.012,
        right=0.988,
        top=1 - 0.45 / (0.52 * rows + 0.5),
        bottom=0.012,
        wspace=0.35,
        hspace=0.4,
    )
    for panel in panels:
        x, y, width, height = panel.place
        card = figure.add_subplot(grid[y : y + height, x : x + width])
        card.set_xticks([])
        card.set_yticks([])
        card.set_facecolor("#ffffff" if panel.kind != "text" else "#f7f7f5")
        for spine in card.spines.values():
            spine.set_color("#dcdfe4")
            spine.set_visible(panel.kind != "text")
        if panel.kind == "text":
            card.text(0.0, 0.5, panel.words, fontsize=13, color=INK, va="center", weight="bold")
            continue
        card.text(
            0.02, 0.965, panel.title, fontsize=9, color=INK, va="top", transform=card.transAxes, weight="bold"
        )
        _PAINTERS[panel.kind](card, panel)
    figure.savefig(path, dpi=100, facecolor=figure.get_facecolor())
    plt.close(figure)


def _value(card: Any, panel: Panel) -> None:
    curve = panel.curves[0] if panel.curves else Curve("", INK, [], None)
    said = "no data" if curve.whole is None else f"{curve.whole:,.1f}".removesuffix(".0")
    card.text(0.04, 0.5, said, fontsize=24, color=curve.colour, va="center", transform=card.transAxes)
    if len(curve.points) > 1:
        inner = card.inset_axes((0.42, 0.12, 0.54, 0.5))
        inner.plot(
            *zip(*curve.points, strict=True), color=curve.colour, linewidth=1.4, marker="o", markersize=2.5
        )
        inner.axis("off")


def _alarms(card: Any, panel: Panel) -> None:
    card.text(
        0.04, 0.8, panel.words, fontsize=8.5, color=MUTED, va="top", transform=card.transAxes, linespacing=1.8
    )


def _graph(card: Any, panel: Panel) -> None:
    axes = card.inset_axes((0.075, 0.27, 0.9, 0.57))
    drawn = [each for each in panel.curves if each.points]
    below: dict[float, float] = {}
    for each in drawn:
        xs, ys = zip(*each.points, strict=True)
        if panel.kind == "bars":
            bottoms = [below.get(x, 0.0) for x in xs]
            axes.bar(xs, ys, width=4.0, bottom=bottoms, color=each.colour)
            below |= {x: low + y for x, y, low in zip(xs, ys, bottoms, strict=True)}
        else:
            axes.plot(xs, ys, color=each.colour, linewidth=1.4, marker="o", markersize=2.5)
    axes.set_xlim(0, panel.until)
    axes.tick_params(labelsize=7, colors=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color("#dcdfe4")
    if panel.low is not None:
        axes.set_ylim(bottom=panel.low * (1.08 if panel.low < 0 else 1))
    if panel.high is not None:
        axes.set_ylim(top=panel.high * 1.08)
        for end in (panel.low or 0, panel.high):
            axes.axhline(end, color=MUTED, linewidth=0.7, linestyle=":")
    x = 0.03
    for each in panel.curves[:8]:
        text = each.label if each.points else f"{each.label} (none)"
        if x > 0.9:
            break
        mark = card.text(x, 0.05, f"■ {text}", fontsize=7.2, color=each.colour, transform=card.transAxes)
        box = mark.get_window_extent(card.figure.canvas.get_renderer())
        width = box.width / card.get_window_extent().width
        if x > 0.03 and x + width > 0.99:
            mark.remove()
            break
        x += width + 0.025


_PAINTERS = {"value": _value, "alarm": _alarms, "bars": _graph, "lines": _graph}


def main() -> int:
    """Run a lab, fill both dashboards from it, and write the pictures."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    with (
        tempfile.TemporaryDirectory() as folder,
        World(Path(folder), time_scale=TIME_SCALE, catalog=CATALOG) as world,
    ):
        boards = Boards(world, say)
        boards.play()
        pictures(boards, IMAGES)
    say("docs/images/dashboard-cloudwatch.png, docs/images/dashboard-grafana.png")
    return 0


def pictures(boards: Boards, folder: Path) -> None:
    """Both pictures of a lab in which everything has happened."""
    asking = Asking(boards)
    filled = of_cloudwatch(boards.body(), asking)
    draw(
        filled,
        folder / "dashboard-cloudwatch.png",
        f"CloudWatch dashboard candlefish-{boards.environment}; seconds of a lab",
    )
    panels = of_grafana(grafana.releases(), asking, boards.environment)
    draw(
        panels,
        folder / "dashboard-grafana.png",
        "Grafana: Candlefish: releases; queries asked of a lab's CloudWatch; seconds of a lab",
    )


if __name__ == "__main__":
    sys.exit(main())
