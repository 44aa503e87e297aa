from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from candlefish.catalog.load import examine
from candlefish.catalog.problems import LocatedProblem
from tests.support.catalogs import FIXTURES

TODAY = date(2026, 11, 24)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the catalog, to be broken."""
    return Path(shutil.copytree(FIXTURES, tmp_path / "catalog", ignore=shutil.ignore_patterns("schema")))


@pytest.fixture
def problems(folder: Path) -> Callable[..., list[LocatedProblem]]:
    """Replace text in a file of the copy, then say what is wrong with it."""

    def edit(file: str, old: str, new: str) -> list[LocatedProblem]:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer says {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return examine(folder, TODAY)[1]

    return edit
