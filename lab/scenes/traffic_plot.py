"""Pictures of what the lab saw, drawn by a process of its own: it loads its tools while the lab is busy elsewhere."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lab import ROOT
from lab.traffic.load import Sample

# What was there before is grey, what comes is blue, what comes next has the next colour; as on the page. A version has
# one colour in all of a picture, whichever slot it is in. Red is for harm alone.
COLOURS = ("#8b93a1", "#1d4ed8", "#b7791f", "#0f766e", "#7c3aed", "#475569")
HARM, INK, MUTED = "#c0261c", "#15181e", "#5b6270"
# Seconds that are counted together.
BUCKET = 0.5
# Where so small a part of what is usual was asked for, the machine did not keep up: nobody was refused.
PAUSED = 0.5
NOBODY = "(no service)"


class Drawing(msgspec.Struct, frozen=True):
    """What is to be drawn, and where."""

    path: str
    samples: list[Sample]
    moments: list[tuple[float, str]]


class Lane(msgspec.Struct, frozen=True):
    """One version over time, by bucket: requests and failed ones a second, and response times in seconds.

    `median` and `p95` are None where nothing answered.
    """

    requests: list[float]
    failed: list[float]
    median: list[float | None]
    p95: list[float | None]


class Lanes(msgspec.Struct, frozen=True):
    """All versions, in the order in which they came; `times` is where buckets begin, in seconds since the first request.

    `paused` are the spans in which nearly nobody asked.
    """

    times: list[float]
    versions: dict[str, Lane]
    paused: list[tuple[float, float]]


def lanes_of(samples: Iterable[Sample]) -> Lanes:
    """Samples by version and time (pure). The first and the last bucket are cut off by the load's begin and end."""
    ordered = sorted(samples, key=lambda each: each.at)
    start = ordered[0].at
    found: dict[str, defaultdict[int, list[Sample]]] = {}
    for each in ordered:
        of = found.setdefault(each.version or NOBODY, defaultdict(list))
        of[int((each.at - start) / BUCKET)].append(each)
    buckets = range(1, int((ordered[-1].at - start) / BUCKET))
    asked = [sum(len(of.get(b, ())) for of in found.values()) for b in buckets]
    usual = statistics.median(asked) if asked else 0.0
    return Lanes(
        [b * BUCKET for b in buckets],
        {version: _lane([of.get(b, []) for b in buckets]) for version, of in found.items()},
        [
            (b * BUCKET, (b + 1) * BUCKET)
            for b, count in zip(buckets, asked, strict=True)
            if count < PAUSED * usual
        ],
    )


def _lane(buckets: Sequence[Sequence[Sample]]) -> Lane:
    took = [sorted(each.seconds for each in bucket if each.status) for bucket in buckets]
    return Lane(
        [len(bucket) / BUCKET for bucket in buckets],
        [sum(each.failed for each in bucket) / BUCKET for bucket in buckets],
        [times[len(times) // 2] if times else None for times in took],
        [times[int(0.95 * (len(times) - 1))] if times else None for times in took],
    )


def rows_of(spans: Sequence[tuple[float, float]]) -> list[int]:
    """The lowest row for each label such that none touches another; spans are (left, right), in order (pure)."""
    ends: list[float] = []
    rows = []
    for left, right in spans:
        row = next((number for number, end in enumerate(ends) if end <= left), len(ends))
        ends[row:] = [right, *ends[row + 1 :]]
        rows.append(row)
    return rows


class Picture:
    """Draws one picture."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.scenes.traffic_plot"],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
            start_new_session=True,
        )

    def traffic(self, path: Path, samples: Sequence[Sample], moments: Sequence[tuple[float, str]]) -> None:
        """Requests by version, failures on a lane of their own, response times, and what happened written along the top.

        Raises
        ------
        RuntimeError
            It could not be drawn.
        """
        drawing = Drawing(str(path.resolve()), list(samples), list(moments))
        self._process.communicate(msgspec.json.encode(drawing))
        if self._process.returncode:
            raise RuntimeError("the picture could not be drawn")


def main() -> None:
    """Draw what comes on the standard input."""
    from matplotlib import pyplot  # noqa: F401 - loaded before there is something to draw

    text = sys.stdin.buffer.read()
    # Whoever started this ended early.
    if text:
        drawing = msgspec.json.decode(text, type=Drawing)
        _draw(drawing.path, drawing.samples, drawing.moments)


def _draw(path: str, samples: list[Sample], moments: list[tuple[float, str]]) -> None:
    """Draw three lanes over one time: requests by version, failures, response times; what happened along the top."""
    if not samples:
        return
    from matplotlib import pyplot as plt

    lanes = lanes_of(samples)
    colours = dict(zip(lanes.versions, COLOURS * len(lanes.versions), strict=False))
    plt.rcParams |= {"font.size": 9, "axes.edgecolor": MUTED, "text.color": INK}
    figure, (traffic, failures, latency) = plt.subplots(
        3,
        1,
        figsize=(11, 6),
        sharex=True,
        height_ratios=(3, 1, 1.4),
        gridspec_kw={"hspace": 0.14, "left": 0.075, "right": 0.985, "bottom": 0.075, "top": 0.88},
    )
    _traffic(traffic, lanes, colours)
    _failures(failures, lanes, samples)
    _latency(latency, lanes, colours)
    for axes in (traffic, failures, latency):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=MUTED)
        for begin, end in lanes.paused:
            axes.axvspan(begin, end, facecolor="#e9ebee", edgecolor=MUTED, hatch="//", linewidth=0)
    if lanes.paused:
        traffic.text(
            lanes.paused[0][1], 0, " nobody asked: the machine did not keep up", fontsize=8, va="bottom"
        )
    latency.set_xlim(lanes.times[0], lanes.times[-1])
    latency.set_xlabel("seconds")
    figure.align_ylabels()
    _moments(figure, (traffic, failures, latency), min(s.at for s in samples), moments)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _traffic(axes: Any, lanes: Lanes, colours: Mapping[str, str]) -> None:
    shares = [lane.requests for lane in lanes.versions.values()]
    shades = [colours[version] for version in lanes.versions]
    axes.stackplot(lanes.times, *shares, colors=shades, labels=list(lanes.versions), alpha=0.9, linewidth=0)
    axes.set_ylim(0, 1.05 * max(map(sum, zip(*shares, strict=True)), default=1.0))
    axes.set_ylabel("requests / s")
    axes.legend(loc="lower left", ncols=len(shades), fontsize=9, framealpha=0.95, edgecolor="none")


def _failures(axes: Any, lanes: Lanes, samples: Sequence[Sample]) -> None:
    bottom = [0.0] * len(lanes.times)
    for lane in lanes.versions.values():
        axes.bar(lanes.times, lane.failed, width=BUCKET, bottom=bottom, align="edge", color=HARM)
        bottom = [low + more for low, more in zip(bottom, lane.failed, strict=True)]
    failed = Counter(each.version or NOBODY for each in samples if each.failed)
    asked = Counter(each.version or NOBODY for each in samples)
    said = [f"{version}: {count:,} of {asked[version]:,} failed" for version, count in failed.items()]
    axes.text(
        0.005,
        0.9,
        "; ".join(said) or "none failed",
        transform=axes.transAxes,
        va="top",
        fontsize=9,
        color=HARM,
    )
    axes.set_ylim(0, max([1.0, *(1.5 * each for each in bottom)]))
    axes.set_ylabel("failed / s")


def _latency(axes: Any, lanes: Lanes, colours: Mapping[str, str]) -> None:
    def milliseconds(of: Sequence[float | None]) -> list[float]:
        return [float("nan") if each is None else 1000 * each for each in of]

    for version, lane in lanes.versions.items():
        colour = colours[version]
        axes.plot(lanes.times, milliseconds(lane.median), color=colour, linewidth=1.6)
        axes.plot(lanes.times, milliseconds(lane.p95), color=colour, linewidth=0.9, linestyle=(0, (3, 2)))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel("ms (95% dashed)")


def _moments(figure: Any, lanes: Sequence[Any], start: float, moments: Sequence[tuple[float, str]]) -> None:
    """What happened: a line through all lanes, and its words above, in as many rows as keep them apart."""
    top = lanes[0]
    figure.canvas.draw()
    renderer, place = figure.canvas.get_renderer(), top.transData.inverted()
    drawn, spans = [], []
    for at, text in sorted(moments):
        label = top.text(at - start, 0, text, fontsize=8.5, ha="left", va="bottom", color=INK)
        box = label.get_window_extent(renderer)
        left, right = (place.transform((x, 0))[0] for x in (box.x0, box.x1 + 8))
        # What would leave the picture stands left of its line.
        if right > top.get_xlim()[1]:
            label.set_ha("right")
            left, right = left - (right - left), left
        drawn.append((at - start, label))
        spans.append((left, right))
    height = top.get_ylim()[1]
    for (at, label), row in zip(drawn, rows_of(spans), strict=True):
        reach = height * (1.03 + 0.085 * row)
        label.set_position((at, reach))
        top.plot([at, at], [0, reach], color=MUTED, linewidth=0.7, linestyle=":", clip_on=False)
        for axes in lanes[1:]:
            axes.axvline(at, color=MUTED, linewidth=0.7, linestyle=":")


if __name__ == "__main__":
    main()
