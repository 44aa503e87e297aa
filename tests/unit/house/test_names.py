"""One public name of a class or function means one thing in the whole package (docs/glossary.md)."""

from __future__ import annotations

import ast

from tools.house import PACKAGE, doubled, modules, of
from tools.layers import ROOT

# Name -> why several modules may define it.
CLASSES: dict[str, str] = {}
FUNCTIONS: dict[str, str] = {
    "require_generation": "one in each record.py with generations: whoever was taken over is refused",
}

MODULES = of(modules(ROOT, {f"layers/control_plane/{PACKAGE}": PACKAGE}), PACKAGE)


def test_a_class_name_means_one_thing() -> None:
    found = {name: where for name, where in doubled(MODULES, ast.ClassDef).items() if name not in CLASSES}
    assert found == {}, "find a word for each, or say in CLASSES why they are one"


def test_a_function_name_means_one_thing() -> None:
    found = {
        name: where for name, where in doubled(MODULES, ast.FunctionDef).items() if name not in FUNCTIONS
    }
    assert found == {}, "find a word for each, or say in FUNCTIONS why they are one"


def test_nothing_is_allowed_that_is_not_there() -> None:
    stale = [name for name in CLASSES if name not in doubled(MODULES, ast.ClassDef)]
    stale += [name for name in FUNCTIONS if name not in doubled(MODULES, ast.FunctionDef)]
    assert stale == [], "each means one thing now: take it off the list"
