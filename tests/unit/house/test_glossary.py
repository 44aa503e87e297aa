"""The glossary: a word stands once, and every module and path that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers/control_plane"
ROWS = re.findall(r"^\| (?!word |---)([^|]+) \|(.*)\|$", (ROOT / "docs/glossary.md").read_text(), re.M)
MODULES = sorted({m for _, rest in ROWS for m in re.findall(r"`(candlefish(?:\.\w+)+)`", rest)})
PATHS = sorted({p for _, rest in ROWS for p in re.findall(r"`?((?:docs|tests|candlefish)/[\w./]+)", rest)})


def test_a_word_stands_once() -> None:
    words = [word.strip() for names, _ in ROWS for word in names.split(",")]
    assert len(words) > 60
    assert [word for word in words if words.count(word) > 1] == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_that_is_named_is_there(name: str) -> None:
    path = PACKAGE / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return
    owner = path.parent.with_suffix(".py")
    assert owner.is_file() and re.search(rf"^class {path.name}\b", owner.read_text(), re.M)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists() or (PACKAGE / path).exists()
