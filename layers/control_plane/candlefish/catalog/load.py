"""Read a catalog folder into a `Catalog`. Build time and CLI only: functions read what `compile` wrote.

Each field of `Catalog` is a file (`services.yaml`); the environments are a folder with a file each.
"""

from __future__ import annotations

import typing
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import yaml

from candlefish.bounds import DEEPEST
from candlefish.catalog import check, days_off, shape
from candlefish.catalog.defaults import with_defaults
from candlefish.catalog.kinds import BROKEN, neutral
from candlefish.catalog.model import Calendar, Catalog, suggest
from candlefish.catalog.problems import CatalogError, CatalogProblem, LocatedProblem
from candlefish.catalog.shape import Notes

# Fields that are a folder with one file a name.
FOLDERS = frozenset({"environments"})

# Of one file, in characters.
LARGEST_FILE = 1_000_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(folder: Path, today: date | None = None) -> Catalog:
    """The catalog in a folder. Holidays are expanded for the years from `today` (or now) on.

    Raises
    ------
    CatalogError
        With every problem that was found, each with file, line, field and fix.
    """
    catalog, problems = examine(folder, today or date.today())
    if problems:
        raise CatalogError(problems)
    return catalog


def examine(folder: Path, today: date) -> tuple[Catalog, list[LocatedProblem]]:
    """What a folder says and all that is wrong with it; where anything is, the catalog has stand-ins."""
    notes = Notes()
    notes.places[()] = (str(folder), 0)
    if not folder.is_dir():
        notes.problem((), "there is no such folder", "name the folder with services.yaml in it")
        return neutral(Catalog), notes.problems
    values = {field.name: _field(folder, field, notes) for field in msgspec.structs.fields(Catalog)}
    _unread_files(folder, set(values), notes)
    values["responses"] = with_defaults(values["responses"])
    values["calendars"] = _expanded(values["calendars"], folder, today, notes)
    catalog = Catalog(**values)
    for finding in check.check(catalog):
        if not any(_undermines(broken, finding) for broken in notes.broken):
            notes.problem(finding.path, finding.what, finding.fix)
    return catalog, sorted(notes.problems, key=lambda problem: (problem.file, problem.line))


def _expanded(calendars: dict[str, Calendar], folder: Path, today: date, notes: Notes) -> dict[str, Calendar]:
    expanded = {}
    for name, calendar in calendars.items():
        path = ("calendars", name)
        if (*path, "known_until") in notes.places:
            notes.problem((*path, "known_until"), "this field is computed", "remove the line")
        expanded[name], wrong = days_off.expand(calendar, folder, today)
        for field, what, fix in wrong:
            notes.problem((*path, field), what, fix)
    return expanded


def _undermines(broken: tuple[str | int, ...], finding: CatalogProblem) -> bool:
    """Whether a finding is about a stand-in, which is nobody's mistake."""
    shorter = min(len(broken), len(finding.path))
    beneath = bool(finding.rests_on) and broken[: len(finding.rests_on)] == finding.rests_on
    return beneath or broken[:shorter] == finding.path[:shorter]


def _field(folder: Path, field: Any, notes: Notes) -> Any:
    path = (field.name,)
    file = folder / (field.name if field.name in FOLDERS else f"{field.name}.yaml")
    notes.places[path] = (str(file), 0)
    value = BROKEN
    if not file.exists() and not field.required:
        return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if not file.exists():
        notes.problem(path, "this is missing", "create it; docs/catalog.md says what is in it")
    elif field.name in FOLDERS:
        value = _folder(file, field, notes)
    else:
        node = _compose(file, path, notes)
        value = BROKEN if node is None else shape.build(node, field.type, path, notes)
    return neutral(field.type) if value is BROKEN else value


def _folder(parts: Path, field: Any, notes: Notes) -> dict[str, Any]:
    key_kind, kind = typing.get_args(field.type)
    values = {}
    for file in sorted(parts.glob("*.yaml")):
        path = (field.name, file.stem)
        notes.places[path] = (str(file), 0)
        shape.check_name(file.stem, key_kind, path, notes)
        node = _compose(file, path, notes)
        values[file.stem] = (
            neutral(kind, name=file.stem)
            if node is None
            else shape.build_entry(file.stem, node, kind, path, notes)
        )
    return values


def _compose(file: Path, path: tuple[str | int, ...], notes: Notes) -> yaml.Node | None:
    try:
        text = file.read_text(encoding="utf-8")
        if (unsound := _unsound(text)) is not None:
            notes.problem(path, *unsound)
            return None
        node = yaml.compose(text, Loader=_Loader)
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


def _unsound(text: str) -> tuple[str, str] | None:
    """What keeps a text from being read at all, and how to mend it: LibYAML's composer ends the process when it
    runs out of stack. Its parser does not recurse."""
    if len(text) > LARGEST_FILE:
        return f"the file has {len(text):,} characters, at most {LARGEST_FILE:,} are read", "write less"
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return f"this nests deeper than {DEEPEST} levels", "close what was opened on or above this line"
    return None


def _unread_files(folder: Path, known: set[str], notes: Notes) -> None:
    read = {f"{name}.yaml" for name in known - FOLDERS}
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml"), *folder.glob("*/*.yml")]):
        path = (str(file.relative_to(folder)),)
        notes.places[path] = (str(file), 0)
        if file.suffix == ".yml":
            notes.problem(path, "only .yaml files are read", f"rename it to {file.stem}.yaml")
        elif file.name not in read:
            notes.problem(path, "nothing reads this file", suggest(file.name, read))
