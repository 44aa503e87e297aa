"""Print what the control plane costs, and write it into docs/cost.md (`make bench-cost`).

What is counted comes from the real definitions, functions and template in the simulator: change them, and this changes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from lab import ROOT
from tests.benchmarks.cost.counted import ITEM_KB, LOGGED, SECONDS
from tests.benchmarks.cost.prices import PRICES, READ_ON, dollars
from tests.benchmarks.cost.scenes import MONTH, grown, play_canary, play_idle
from tests.support.catalogs import FIXTURES
from tools.lint_template import FUNCTION, read
from tools.pages import between

PAGE = ROOT / "docs/cost.md"
BEGINS, ENDS = "<!-- counted: costs -->", "<!-- /counted -->"
SIZES = (6, 50, 1000)
# What must not be exceeded, in dollars.
CANARY_GOAL, MONTH_GOAL = 0.012, 4.0


def services() -> list[str]:
    """The catalog's services."""
    return list(yaml.safe_load((FIXTURES / "services.yaml").read_text()))


def table() -> tuple[str, list[str]]:
    """The tables as Markdown, and the goals that are missed."""
    canary = play_canary()
    few, many = play_idle(services()[:2]), play_idle(services())
    months = {size: grown(few, many, size) for size in SIZES}
    release, watch = dollars(canary.release.counts), dollars(canary.watch.counts)
    rents = {size: dollars(counts) for size, counts in months.items()}
    missed = []
    if sum(release.values()) > CANARY_GOAL:
        missed.append(
            f"a canary of five steps costs ${sum(release.values()):.4f}, the goal is ${CANARY_GOAL}"
        )
    if sum(rents[6].values()) > MONTH_GOAL:
        missed.append(
            f"an idle month with six services costs ${sum(rents[6].values()):.2f}, the goal is ${MONTH_GOAL}"
        )
    lines = [
        "A canary of five judged weights, and the watch of its rollback window:",
        "",
        "| | canary | | watch | |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {PRICES[name].unit} | {_count(canary.release.counts[name])} | ${cost:.5f} "
            f"| {_count(canary.watch.counts.get(name, 0))} | ${watch.get(name, 0):.5f} |"
            for name, cost in _dearest(release)
        ),
        f"| **together** | | **${sum(release.values()):.4f}** | | **${sum(watch.values()):.4f}** |",
        "",
        "A month of production in which nothing happens, with so many services:",
        "",
        "| | " + " | ".join(f"{size:,}" for size in SIZES) + " |",
        "|---|" + "--:|" * len(SIZES),
        *(
            f"| {PRICES[name].unit} | " + " | ".join(f"${rents[size][name]:,.2f}" for size in SIZES) + " |"
            for name, _ in _dearest(rents[6])
        ),
        "| **together** | " + " | ".join(f"**${sum(rents[size].values()):,.2f}**" for size in SIZES) + " |",
        "",
        f"Lambda keeps one process of each function between an alert and the rule ready (`ProvisionedConcurrency=1`) for"
        f" ${ready():,.2f} a month.",
        "",
        f"List prices of us-west-2 without free tiers, {READ_ON}"
        " ([prices](../tests/benchmarks/cost/prices.py) says where each stands). Assumed:"
        f" {SECONDS} s and {LOGGED / 1000:.1f} KB of logs for each invocation, {ITEM_KB} KB an item. The sizes beyond the catalog's are"
        f" what {few.services} and {many.services} services cost, continued.",
    ]
    return "\n".join(lines), missed


def ready() -> float:
    """What one process of each function that may have provisioned concurrency costs a month, in dollars."""
    template = read(ROOT / "template.yaml")
    megabytes = [
        properties.get("MemorySize", template.shared["MemorySize"])
        for _, properties in template.of(FUNCTION)
        if "ProvisionedConcurrencyConfig" in properties
    ]
    return sum(megabytes) / 1024 * MONTH * PRICES["provisioned"].each


def _dearest(costs: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(((n, c) for n, c in costs.items() if c), key=lambda each: -each[1])


def _count(count: float) -> str:
    return f"{count:,.0f}" if count >= 1 else f"{count:.4f}"


def written(page: str, made: str) -> str:
    """The page with the tables in their place."""
    return between(page, BEGINS, ENDS, f"\n\n{made}\n\n")


def main(page: Path = PAGE) -> int:
    """Print the tables, write them; how many goals are missed."""
    made, missed = table()
    print(made)
    page.write_text(written(page.read_text(), made))
    for each in missed:
        print(f"MISSED: {each}")
    return len(missed)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
