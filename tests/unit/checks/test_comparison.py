"""Figures of docs/comparison.md are those of the pages that are measured: they are said once and copied."""

from __future__ import annotations

import re

from tools.layers import ROOT

PAGE, JUDGE, COST = ((ROOT / f"docs/{name}.md").read_text() for name in ("comparison", "judge", "cost"))
# What a row is called here and there, and which of its columns are Candlefish, Flagger, the alarm and Kayenta there.
HEALTHY, HARMED = (1, 5, 6, 7), (1, 5, 6, 7)
ROWS = {
    "healthy, steady: rolled back": ("steady", HEALTHY),
    "healthy, common spikes: rolled back": ("common spikes", HEALTHY),
    "healthy, each version wanders (sd 0.5): rolled back": ("sd 0.5", HEALTHY),
    "healthy, but its clients retry: rolled back": ("clients retry on the canary only", HEALTHY),
    "twice the errors: minutes until it is back": ("2 times", HARMED),
    "five times": ("5 times", HARMED),
}


def cells(page: str, name: str) -> list[str]:
    """The row of a table that begins with a name."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_figures_of_the_judges_are_those_that_were_measured() -> None:
    here = {name: cells(PAGE, name) for name in ROWS}
    there = {name: cells(JUDGE, row) for name, (row, _) in ROWS.items()}
    assert {name: [row[1], *row[3:]] for name, row in here.items()} == {
        name: [there[name][column] for column in columns] for name, (_, columns) in ROWS.items()
    }


def test_figures_of_costs_are_those_that_were_counted() -> None:
    release, idle = (
        re.findall(r"\$([\d.]+)", line) for line in COST.splitlines() if line.startswith("| **together**")
    )
    assert f"${sum(map(float, release)):.3f}, an idle month" in PAGE
    assert f"services ${idle[0]}, with fifty ${idle[1]}" in " ".join(PAGE.split())
