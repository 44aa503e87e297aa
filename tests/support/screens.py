"""What the samples of the views look like in a terminal, at three sizes.

`python -m tests.support.screens` writes them to tests/fixtures/screens/*.txt, to be looked at when a view changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from cli.screen.calendar import calendar_lines
from cli.screen.cells import Line, plain
from cli.screen.cost import cost_lines
from cli.screen.fleet import fleet_lines, service_lines
from cli.screen.recovery import audit_found, audit_of, recovery_lines
from cli.screen.release import release_lines
from cli.screen.signals import audit_lines, signals_lines
from tests.support.views import NOW, SAMPLES
from tools.layers import ROOT

FOLDER = ROOT / "tests/fixtures/screens"
SIZES = ((80, 24), (50, 24), (200, 50))
ZONE = ZoneInfo("America/Los_Angeles")


def screens() -> Iterator[tuple[str, list[Line]]]:
    """A name for each sample and size, and its lines."""
    for name, made in SAMPLES.items():
        view: Any = made()
        for width, height in SIZES:
            size = f"{name}-{width}x{height}"
            if name.startswith("release-"):
                yield size, release_lines(view, width, height, NOW, ZONE)
            elif name == "fleet":
                yield size, fleet_lines(view, width, NOW, ZONE)
            elif name == "service":
                yield size, service_lines(view, width, NOW, ZONE)
            elif name == "signals":
                yield size, signals_lines(view, width, NOW, ZONE)
            elif name == "recovery":
                yield size, recovery_lines(view, width, NOW, ZONE)
                target = view.runs[-1].target
                yield f"recovery-of-{size}", recovery_lines(view, width, NOW, ZONE, target=target)
                audit = audit_of(view)
                assert audit is not None
                yield f"backups-{size}", audit_found(audit, width, NOW, ZONE, everything=True)
            elif name == "calendar":
                yield size, calendar_lines(view, width, NOW, 14)
            elif name == "cost":
                yield size, cost_lines(view, width, NOW, ZONE)
            elif name == "audit":
                yield size, audit_lines(view, width, NOW, ZONE)


def text(lines: list[Line]) -> str:
    """Lines as a file."""
    return "".join(f"{plain(line)}\n" for line in lines)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, lines in screens():
        (FOLDER / f"{name}.txt").write_text(text(lines), encoding="utf-8")
