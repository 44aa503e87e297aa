"""Pages of docs that are made from the code: written, or compared with what they should be."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.layers import ROOT


def write_or_check(page: Path, wanted: str, *, source: str, module: str) -> int:
    """Write a page; with `--check` on the command line only say that it is not what its source says. 1 if it is not."""
    if "--check" not in sys.argv:
        page.write_text(wanted)
        return 0
    if page.exists() and page.read_text() == wanted:
        return 0
    print(f"{page.relative_to(ROOT)} is not what the {source}; write it with: python -m {module}")
    return 1
