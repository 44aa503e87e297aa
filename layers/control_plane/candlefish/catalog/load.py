"""Read a catalog folder into a `Catalog`. Build time and CLI only: functions read what `compile` wrote.

Each field of `Catalog` is a file (`services.yaml`) or, where it maps names to things, a folder with
one file a name (`environments/production.yaml`).
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import msgspec
import yaml

from candlefish.catalog import check, shape
from candlefish.catalog.model import Catalog, suggest
from candlefish.catalog.problems import CatalogError, Problem
from candlefish.catalog.shape import BROKEN, Notes

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(folder: Path) -> Catalog:
    """The catalog in a folder.

    Raises
    ------
    CatalogError
        With every problem that was found, each with file, line, field and fix.
    """
    catalog, problems = examine(folder)
    if problems:
        raise CatalogError(problems)
    return catalog


def examine(folder: Path) -> tuple[Catalog, list[Problem]]:
    """What a folder says and all that is wrong with it; where anything is, the catalog has stand-ins."""
    notes = Notes()
    if not folder.is_dir():
        notes.places[()] = (str(folder), 0)
        notes.problem((), "there is no such folder", "name the folder with services.yaml in it")
        return shape.neutral(Catalog), notes.problems
    notes.places[()] = (str(folder), 0)
    values = {field.name: _field(folder, field, notes) for field in msgspec.structs.fields(Catalog)}
    _unread_files(folder, set(values), notes)
    catalog = Catalog(**values)
    for finding in check.check(catalog):
        if not any(_related(finding.path, broken) for broken in notes.broken):
            notes.problem(finding.path, finding.what, finding.fix)
    return catalog, sorted(notes.problems, key=lambda problem: (problem.file, problem.line))


def _related(path: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _field(folder: Path, field: Any, notes: Notes) -> Any:
    file, parts = folder / f"{field.name}.yaml", folder / field.name
    path = (field.name,)
    notes.places[path] = (str(file), 0)
    if file.exists() and parts.is_dir():
        notes.problem(path, f"there is a folder {parts} as well", "keep one of the two")
    value = BROKEN
    if parts.is_dir() and typing.get_origin(field.type) is dict:
        value = _folder(parts, field, notes)
    elif file.exists():
        node = _compose(file, path, notes)
        value = BROKEN if node is None else shape.build(node, field.type, path, notes)
    elif field.required:
        notes.problem(path, "this file is missing", "create it; docs/catalog.md says what is in it")
    else:
        return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return shape.neutral(field.type) if value is BROKEN else value


def _folder(parts: Path, field: Any, notes: Notes) -> dict[str, Any]:
    key_kind, kind = typing.get_args(field.type)
    values = {}
    for file in sorted(parts.glob("*.yaml")):
        path = (field.name, file.stem)
        notes.places[path] = (str(file), 0)
        shape.check_name(file.stem, key_kind, path, notes)
        node = _compose(file, path, notes)
        values[file.stem] = (
            shape.neutral(kind, name=file.stem)
            if node is None
            else shape.build_entry(file.stem, node, kind, path, notes)
        )
    return values


def _compose(file: Path, path: tuple[str | int, ...], notes: Notes) -> yaml.Node | None:
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        notes.problem(
            path, f"the file is not UTF-8 ({error.reason} at byte {error.start})", "save it as UTF-8"
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        notes.places[path] = (str(file), mark.line + 1 if mark else 0)
        what = " ".join(part for part in (error.problem, error.context) if part)
        notes.problem(path, f"this is not YAML: {what}", "mend the syntax on or above this line")
    except yaml.YAMLError as error:  # An unprintable character: the only kind without a mark.
        notes.problem(path, f"this is not YAML: {error}", "remove the character")
    else:
        if node is not None:
            return node
        notes.problem(path, "the file is empty", "write its entries, or {} for none")
    return None


def _unread_files(folder: Path, known: set[str], notes: Notes) -> None:
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml"), *folder.glob("*/*.yml")]):
        path = (str(file.relative_to(folder)),)
        if file.suffix == ".yml":
            notes.places[path] = (str(file), 0)
            notes.problem(path, "only .yaml files are read", f"rename it to {file.stem}.yaml")
        elif file.stem not in known:
            notes.places[path] = (str(file), 0)
            notes.problem(path, "nothing reads this file", suggest(file.stem, known))
