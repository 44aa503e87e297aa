"""Which modules of tests to begin with: the longest, so that workers come to their ends together.

How long a module takes is what its last run took, which every run leaves in reports/durations.json; in a fresh
checkout it is what the longest took once (durations.json beside this: a hint, which may grow old). A module without
either is taken for longer than all that were measured, the more so the more lines it has: who drives a lab through a
story needs room to tell it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

REPORT = Path(__file__).parents[2] / "reports/durations.json"
HINT = Path(__file__).with_suffix(".json")
KNOWN = pytest.StashKey[dict[str, float]]()


def measured(report: Path = REPORT, hint: Path = HINT) -> dict[str, float]:
    """Seconds by module, of its last run."""
    return _read(hint) | _read(report)


def known_to(run: pytest.Stash) -> dict[str, float]:
    """What a whole run goes by, whatever another run measures meanwhile."""
    return run.setdefault(KNOWN, measured())


def remember(took: Mapping[str, float], report: Path = REPORT) -> None:
    """Keep what modules took, beside what others took in other runs."""
    report.parent.mkdir(exist_ok=True)
    kept = _read(report) | {module: round(seconds, 2) for module, seconds in took.items()}
    # Whoever reads it meanwhile reads a whole one.
    fresh = report.with_name(f"{report.name}.{os.getpid()}")
    fresh.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    fresh.replace(report)


def place(module: Path, root: Path, known: Mapping[str, float]) -> tuple[bool, float]:
    """Where a module comes; the smallest first."""
    seconds = known.get(str(module.relative_to(root)))
    if seconds is not None:
        return True, -seconds
    return False, -module.read_text().count("\n")


def _read(file: Path) -> dict[str, float]:
    return dict(json.loads(file.read_text())) if file.exists() else {}
