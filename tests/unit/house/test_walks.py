"""The walks of docs/architecture.md: every file is there, stands once, and is met by one that was read before it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers/control_plane/candlefish"
PAGE = (ROOT / "docs/architecture.md").read_text()
WALKS = {
    title: re.findall(r"(?m)^\d+\. `([^`]+)`: ", text)
    for title, text in re.findall(r"(?ms)^### ([^\n]+)\n(.*?)(?=^##)", PAGE.partition("## Walks")[2])
}


def place(path: str) -> Path:
    return ROOT / path if (ROOT / path).exists() else PACKAGE / path


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, or takes something from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_there_are_four_walks() -> None:
    assert len(WALKS) == 4
    assert min(map(len, WALKS.values())) > 10


@pytest.mark.parametrize("walk", WALKS)
def test_every_file_is_there_and_stands_once(walk: str) -> None:
    files = WALKS[walk]
    assert [path for path in files if not place(path).is_file()] == []
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("walk", WALKS)
def test_every_module_is_met_by_one_that_was_read_before_it_or_by_the_wiring(walk: str) -> None:
    met = {module for path in PACKAGE.glob("bootstrap/*.py") for module in imported(path)}
    unmet = []
    for path in map(place, WALKS[walk]):
        if path.suffix != ".py":
            continue
        if path.is_relative_to(PACKAGE):
            name = ".".join(("candlefish", *path.relative_to(PACKAGE).with_suffix("").parts))
            unmet += [name] if name not in met else []
        met |= imported(path)
    assert unmet == []
