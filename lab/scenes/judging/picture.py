"""A scene as a picture: who served, what users met, the canary's weight, and what the timeline says of it."""

from __future__ import annotations

import io
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab.scenes.judging.play import Played
from lab.scenes.traffic_plot import COLOURS
from lab.traffic.load import Sample
from lab.world import FIRST_VERSION

# What is told of: the rest of a timeline is how a release goes.
_TOLD = (
    "shifted",
    "judged",
    "experiment",
    "experiment_ended",
    "approved",
    "promoted",
    "rolling_back",
    "rolled_back",
)
# Seconds of a point, of one where requests are rare, and before the release.
_BIN, _RARE_BIN, _BEFORE = 2.0, 8.0, 10.0
# Characters of a line of words, and lines of a moment; inches of what is above them.
_LINE, _LINES, _HEIGHT = 160, 3, 5.2
_DARK = "0.25"


def draw(played: Played, path: Path) -> None:
    """Draw it into a PNG file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from PIL import Image

    start = played.entries[0]["at"] - _BEFORE
    moments = told(played)
    # Who served before the judge had something to say is not the matter of a picture.
    end = start + (played.samples[-1].at - start) // _BIN * _BIN
    samples = [sample for sample in played.samples if start <= sample.at < end]
    versions = sorted({sample.version for sample in samples if sample.version})
    words = [_wrapped(number, at - start, text) for number, (at, text) in enumerate(moments, 1)]
    below = 0.14 * sum(text.count("\n") + 1 for text in words)
    height = _HEIGHT + below
    figure, axes = plt.subplots(3, 1, figsize=(11, height), sharex=True, height_ratios=(2, 2.4, 0.8))
    figure.subplots_adjust(left=0.06, right=0.98, top=1 - 0.4 / height, bottom=(0.6 + below) / height)
    _traffic(axes[0], samples, versions, start)
    _met(axes[1], played, samples, versions, start)
    _weight(axes[2], played, start)
    for number, (at, _) in enumerate(moments, 1):
        for each in axes:
            each.axvline(at - start, color="0.5", linewidth=0.7, linestyle=":")
        axes[0].annotate(
            str(number),
            (at - start, 1.03 + 0.09 * (number % 2)),
            xycoords=("data", "axes fraction"),
            fontsize=7.5,
            ha="center",
        )
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.set_xlim(0, end - start)
    axes[2].set_xlabel("seconds (a minute of the product's waits takes two)")
    figure.text(0.02, 0.01, "\n".join(words), fontsize=7.5, va="bottom", family="monospace", color=_DARK)
    # A few colours are enough, and a third of the size.
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)


def told(played: Played) -> list[tuple[float, str]]:
    """What happened, by the timeline and to the world, as (epoch seconds, words), oldest first."""
    entries = [
        (e["at"], f"{e['kind']}: {e['reason']}")
        for e in played.entries
        # A look after which another comes says little, and one that leads to an experiment what that says.
        if e["kind"] in _TOLD and e.get("evidence", {}).get("action") not in ("continue", "experiment")
    ]
    return sorted([*entries, *((at, f"({says})") for at, says in played.turned)])


def _wrapped(number: int, second: float, text: str) -> str:
    found = textwrap.wrap(text, _LINE, max_lines=_LINES, placeholder=" ...")
    return "\n".join([f"{number:2} {second:4.0f} s  {found[0]}", *(f"{'':10}{line}" for line in found[1:])])


def _points(
    samples: Iterable[Sample], start: float, value: Callable[[Sequence[Sample]], float], length: float = _BIN
) -> tuple[list[float], list[float]]:
    """A value of each bin that has samples: seconds, and the values."""
    bins: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        bins[int((sample.at - start) / length)].append(sample)
    return [(number + 0.5) * length for number in sorted(bins)], [
        value(bins[number]) for number in sorted(bins)
    ]


def _traffic(axes: Any, samples: Sequence[Sample], versions: Sequence[str], start: float) -> None:
    counts = [dict(zip(*_points(_of(samples, each), start, len), strict=True)) for each in versions]
    times = sorted({time for each in counts for time in each})
    axes.stackplot(
        times,
        *([each.get(time, 0) / _BIN for time in times] for each in counts),
        labels=versions,
        colors=[_colour(each) for each in versions],
        alpha=0.85,
    )
    axes.set_ylabel("requests/s")
    axes.legend(loc="lower left", ncols=len(versions), fontsize=8)


def _met(axes: Any, played: Played, samples: Sequence[Sample], versions: Sequence[str], start: float) -> None:
    scene = played.scene
    for version in versions:
        mine = _of(samples, version)
        if scene.panel == "quantiles":
            for share, style in ((0.5, "-"), (0.95, "--")):
                times, values = _points(mine, start, partial(_quantile, share))
                axes.plot(times, values, style, color=_colour(version), label=f"p{100 * share:.0f} {version}")
            continue
        for path, style in ((scene.panel_path, "-"), *(((None, "--"),) if scene.panel_path else ())):
            chosen = [sample for sample in mine if not path or sample.path == path]
            times, values = _points(chosen, start, _percent_failed, _RARE_BIN if path else _BIN)
            where = f" at {path}" if path else " in all" if scene.panel_path else ""
            axes.plot(times, values, style, color=_colour(version), label=f"{version}{where}")
    axes.set_ylabel("milliseconds" if scene.panel == "quantiles" else "% failed")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", ncols=2, fontsize=8)


def _weight(axes: Any, played: Played, start: float) -> None:
    slot = played.entries[0]["evidence"]["slot"]
    points = [(start, 0)]
    for entry in played.entries:
        if entry["kind"] == "shifted":
            points.append((entry["at"], entry["evidence"]["weights"][slot]))
        elif entry["kind"] == "rolling_back":
            points.append((entry["at"], 0))
    points.append((played.samples[-1].at, points[-1][1]))
    axes.step([at - start for at, _ in points], [weight for _, weight in points], where="post", color=_DARK)
    axes.set_ylabel("weight %")
    axes.set_ylim(-5, 105)


def _of(samples: Sequence[Sample], version: str) -> list[Sample]:
    return [sample for sample in samples if sample.version == version]


def _percent_failed(samples: Sequence[Sample]) -> float:
    return 100 * sum(sample.failed for sample in samples) / len(samples)


def _quantile(share: float, samples: Sequence[Sample]) -> float:
    """In milliseconds."""
    return 1000 * sorted(sample.seconds for sample in samples)[int(share * (len(samples) - 1))]


def _colour(version: str) -> str:
    return COLOURS[0] if version == FIRST_VERSION else COLOURS[1]
