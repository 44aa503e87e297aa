"""Pages of docs, and other files, that are made from the code: written, or compared with what they should be."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tools.layers import ROOT


def write_or_check(page: Path, wanted: str, *, source: str, module: str) -> int:
    """Write a page; with `--check` on the command line only say that it is not what its source says. 1 if it is not."""
    return write_or_check_all({page: wanted}, source=source, module=module, check="--check" in sys.argv)


def write_or_check_all(
    wanted: Mapping[Path, str], *, source: str, module: str, check: bool, root: Path = ROOT
) -> int:
    """The same for files below `root`, by what they should be; how many were not as their source says, and still are not."""
    stale = [page for page, text in wanted.items() if not page.exists() or page.read_text() != text]
    for page in stale:
        if check:
            print(f"{page.relative_to(root)} is not what the {source}; write it with: python -m {module}")
        else:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(wanted[page])
    return len(stale) if check else 0


def between(text: str, begin: str, end: str, made: str) -> str:
    """A text with what stands between two marks made anew.

    Raises
    ------
    ValueError
        A mark does not stand in it once, or the end comes first: what is around them would be lost.
    """
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended) or text.count(begin) > 1 or text.count(end) > 1:
        raise ValueError(f"{begin.strip()!r} and then {end.strip()!r} do not stand there once each")
    return f"{before}{begin}{made}{end}{after}"
