"""The catalog for tests of alarms: nothing but alarms rolls back, and in a lab the steps are short."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.support.catalogs import FIXTURES


def without_budgets(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of the catalog; `changes` are (file, old text, new text). Every change must apply.

    The judge has no absolute budgets, so that it keeps still in the rollback window.
    """
    shutil.copytree(FIXTURES, folder, ignore=shutil.ignore_patterns("schema"))
    _edit(folder / "policies.yaml", r"(?s)  budgets:.*", "")
    for file, old, new in changes:
        _edit(folder / file, re.escape(old), new)
    return folder


def quick_catalog(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """The same, with short steps. Images of the lab are in no registry, so production asks for no scan of them."""
    without_budgets(folder)
    _edit(folder / "strategies.yaml", r"at_most: (30|15)m", "at_most: 1m")
    production = folder / "environments" / "production.yaml"
    if "\ngates:" in production.read_text():
        _edit(production, r"\ngates:(\n  .*)*", "")
    for file, old, new in changes:
        _edit(folder / file, re.escape(old), new)
    return folder


def _edit(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text())
    assert count, f"{pattern!r} is not in {file}"
    file.write_text(text)
