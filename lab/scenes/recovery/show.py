"""Runs plans one after another, and shows what was measured."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.scenes.recovery.plans import PLANS, Report
from lab.scenes.recovery.two_regions import start


def show(plans: Iterable[str], say: Callable[[str], None]) -> list[Report]:
    """Run plans by name in a world of their own; what each came to (`status` is `done` when it went well)."""
    reports = []
    with tempfile.TemporaryDirectory(prefix="candlefish-recovery-") as directory:
        world = start(Path(directory), say)
        try:
            for name in plans:
                say(f"\n{name}")
                reports.append(PLANS[name](world))
                say(_printed(reports[-1]))
        finally:
            world.down()
    return reports


def _printed(report: Report) -> str:
    return json.dumps(
        {key: value for key, value in report.items() if key not in ("plan", "target")}, indent=2
    )
