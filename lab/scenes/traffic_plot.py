"""Pictures of what the lab saw, drawn by a process of its own: it loads its tools while the lab is busy elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lab import ROOT
from lab.traffic.load import Sample

COLOURS = ("#4878a8", "#5a9e6f", "#c44e52", "#8172b2", "#ccb974", "#64b5cd")
BUCKET = 0.5


class Drawing(msgspec.Struct, frozen=True):
    """What is to be drawn, and where."""

    path: str
    samples: list[Sample]
    moments: list[tuple[float, str]]


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
        """Requests per second by version, failed ones dark, with what happened written along the top.

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
    """Draw requests per second by version, failed ones dark, with what happened written along the top."""
    if not samples:
        return
    from matplotlib import pyplot as plt

    start = min(s.at for s in samples)
    versions = sorted({s.version or "(no service)" for s in samples})
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    failed: Counter[int] = Counter()
    for s in samples:
        bucket = int((s.at - start) / BUCKET)
        counts[s.version or "(no service)"][bucket] += 1
        failed[bucket] += s.failed
    # The first and last bucket are cut off by the beginning and end of the load.
    buckets = range(1, max(int((s.at - start) / BUCKET) for s in samples))
    times = [b * BUCKET for b in buckets]
    figure, axes = plt.subplots(figsize=(11, 4.2), constrained_layout=True)
    axes.stackplot(
        times,
        *([counts[v][b] / BUCKET for b in buckets] for v in versions),
        labels=versions,
        colors=COLOURS[: len(versions)],
        alpha=0.85,
    )
    axes.plot(times, [failed[b] / BUCKET for b in buckets], color="black", linewidth=1.2, label="failed")
    top = axes.get_ylim()[1]
    for at, text in _apart(moments):
        axes.axvline(at - start, color="0.35", linewidth=0.7, linestyle=":")
        axes.text(at - start, top * 1.01, text, rotation=35, fontsize=8, ha="left", va="bottom")
    axes.set_ylim(0, top)
    axes.set_xlabel("seconds")
    axes.set_ylabel("requests per second")
    axes.legend(loc="lower left", ncols=len(versions) + 1, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _apart(moments: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Moments of less than a second share one label."""
    found: list[tuple[float, str]] = []
    for at, text in sorted(moments):
        if found and at - found[-1][0] < 1:
            found[-1] = found[-1][0], f"{found[-1][1]}, {text}"
        else:
            found.append((at, text))
    return found


if __name__ == "__main__":
    main()
