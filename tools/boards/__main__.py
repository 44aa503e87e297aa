"""Writes the dashboards: CloudWatch's into template.yaml, Grafana's into monitoring/grafana.

python -m tools.boards [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from candlefish.measures import METRICS
from tools.boards import cloudwatch, grafana
from tools.boards.lint import problems
from tools.layers import ROOT
from tools.pages import between, write_or_check_all

TEMPLATE = ROOT / "template.yaml"
PAGE = ROOT / "docs/dashboards.md"
BEGIN_TABLE, END_TABLE = "<!-- made by tools.boards -->\n", "<!-- /made by tools.boards -->"
BEGIN, END = "      # --- made by python -m tools.boards\n", "      # --- end of what is made\n"


def template_with(text: str) -> str:
    """The template with the dashboard's body as it should be."""
    lines = "\n".join(f"        {line}" for line in cloudwatch.body().splitlines())
    return between(text, BEGIN, END, f"      DashboardBody: !Sub |\n{lines}\n")


def page_with(text: str) -> str:
    """The page about dashboards with the table of metrics as it should be."""
    rows = [
        f"| `{name}` | {each.unit} | {'yes' if each.by_service else ''} | {each.about} |"
        for name, each in METRICS.items()
    ]
    table = "\n".join(["", "| metric | unit | by service | what |", "|---|---|---|---|", *rows, "", ""])
    return between(text, BEGIN_TABLE, END_TABLE, table)


def wanted() -> dict[Path, str]:
    """Every file that is made, with what it should say."""
    made = {TEMPLATE: template_with(TEMPLATE.read_text()), PAGE: page_with(PAGE.read_text())}
    return made | {ROOT / "monitoring/grafana" / name: text for name, text in grafana.files().items()}


def main(arguments: list[str]) -> int:
    """Write them, or say which of them are not as they should be; 1 if any is not, or names what nobody reports."""
    wrong = problems()
    for each in wrong:
        print(each)
    check = "--check" in arguments
    stale = write_or_check_all(
        wanted(), source="code of tools/boards says", module="tools.boards", check=check
    )
    return 1 if wrong or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
