"""Writes docs/table.md, the single-table design on one page, from the keys that the code uses.

python -m tools.table_page [--check]
"""

from __future__ import annotations

import sys

from candlefish.adapters.table import keys
from tools.layers import ROOT
from tools.pages import write_or_check

PAGE = ROOT / "docs/table.md"


def page() -> str:
    """The page as it should be."""
    rows = [
        f"| {name} | `{item.pk}` | `{item.sk}` | {item.what} | {item.written} | {item.kept} | {item.schema} |"
        for name, item in keys.ITEMS.items()
    ]
    intro = "\n".join((keys.__doc__ or "").strip().splitlines()[2:])
    return "\n".join(
        [
            "# The table",
            "",
            "Made by `python -m tools.table_page` from `candlefish/adapters/table/keys.py`; `make check` compares.",
            "",
            intro.replace("docs/table.md is made from this module.", "").strip(),
            "",
            "| item | pk | sk | what | written | kept | schema |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), source="keys say", module="tools.table_page"))
