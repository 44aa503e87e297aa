"""From YAML nodes to the models' values, noting every problem instead of stopping at the first.

Types decide how text is read, not YAML's guesses: `account: 012345678901` is that text,
`LOG: on` is "on", `22:30` is not a number in base 60. Used at build time only.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal

import msgspec
import yaml

from candlefish.catalog.kinds import (
    BROKEN,
    fix_of,
    is_struct,
    is_union,
    keyed_by_name,
    neutral,
    stand_in,
    unwrap,
)
from candlefish.catalog.model import Duration, suggest
from candlefish.catalog.problems import LocatedProblem, Path, dotted


class Notes:
    """What was found while reading one catalog: problems, and where each path is written."""

    def __init__(self) -> None:
        self.problems: list[LocatedProblem] = []
        self.places: dict[Path, tuple[str, int]] = {}
        self.broken: set[Path] = set()

    def problem(self, path: Path, what: str, fix: str, line: int = 0) -> Any:
        """Note a problem at a line, or where its path or the nearest above is written. Returns BROKEN."""
        above = path
        while above and above not in self.places:
            above = above[:-1]
        file, written = self.places[above]
        self.problems.append(LocatedProblem(file, line or written, dotted(path), what, fix))
        self.broken.add(path)
        return BROKEN


def build(node: yaml.Node, kind: Any, path: Path, notes: Notes) -> Any:
    """The value of a node as `kind`, or BROKEN."""
    kind, metas = unwrap(kind)
    origin = typing.get_origin(kind)
    if node.tag.startswith("!"):
        return notes.problem(path, f"the tag {node.tag} means nothing here", "write the value without it")
    if is_union(kind):
        return _union(node, kind, path, notes)
    if is_struct(kind):
        return _struct(node, kind, path, notes)
    if origin is tuple:
        return _sequence(node, typing.get_args(kind)[0], path, notes)
    if origin is dict:
        key_kind, value_kind = typing.get_args(kind)
        return _mapping(node, key_kind, value_kind, path, notes)
    if not isinstance(node, yaml.ScalarNode):
        return notes.problem(path, f"this is a {_kind_of(node)}", f"write {wanted(kind)}")
    if node.value == "" and _plain(node):
        return notes.problem(path, "there is no value", fix_of(metas) or f"write {wanted(kind)}")
    if origin is Literal:
        return _literal(node, typing.get_args(kind), path, notes)
    return _scalar(node, kind, metas, path, notes)


def check_name(name: str, kind: Any, path: Path, notes: Notes) -> None:
    """Note a problem when a name that is not in a YAML file (a file's own) breaks its type's rules."""
    kind, metas = unwrap(kind)
    _constrain(name, name, metas, path, notes)


# --- scalars ------------------------------------------------------------------------------


def _plain(node: yaml.ScalarNode) -> bool:
    """Whether the text is written without quotes (LibYAML and the pure loader differ in how they say so)."""
    return node.style not in ("'", '"', "|", ">")


def _whole(node: yaml.ScalarNode) -> int:
    if not _plain(node) or not re.fullmatch(r"[-+]?\d+", node.value):
        raise ValueError
    return int(node.value)


def _real(node: yaml.ScalarNode) -> float:
    if not _plain(node) or not re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", node.value):
        raise ValueError
    return float(node.value)


def _truth(node: yaml.ScalarNode) -> bool:
    if not _plain(node):
        raise ValueError
    return {"true": True, "false": False}[node.value]


def _string(node: yaml.ScalarNode) -> str:
    if _plain(node) and node.value in ("null", "~"):
        raise ValueError
    return str(node.value)


# How each type is read, and what to tell somebody who wrote something else.
_SCALARS: dict[Any, tuple[Callable[[yaml.ScalarNode], Any], str]] = {
    int: (_whole, "a whole number, without quotes, like 3"),
    float: (_real, "a number, without quotes, like 0.5"),
    bool: (_truth, "true or false"),
    str: (_string, "text"),
    Duration: (
        lambda node: Duration.parse(node.value),
        "a length of time with its unit, like 90s, 5m or 1h30m",
    ),
}


def _scalar(node: yaml.ScalarNode, kind: Any, metas: tuple[Any, ...], path: Path, notes: Notes) -> Any:
    read, wanted = _SCALARS[kind]
    try:
        value = read(node)
    except (ValueError, KeyError):
        return notes.problem(path, f"{_shown(node.value)} is not right here", f"write {wanted}")
    return _constrain(value, node.value, metas, path, notes)


def _constrain(value: Any, shown: str, metas: tuple[Any, ...], path: Path, notes: Notes) -> Any:
    for meta in metas:
        pattern = (meta.extra or {}).get("pattern")
        fits = (
            (pattern is None or re.fullmatch(pattern, value))
            and (meta.ge is None or value >= meta.ge)
            and (meta.gt is None or value > meta.gt)
            and (meta.le is None or value <= meta.le)
            and (meta.lt is None or value < meta.lt)
        )
        if not fits:
            return notes.problem(path, f"{_shown(shown)} is not right here", fix_of(metas))
    return value


def _literal(node: yaml.ScalarNode, choices: tuple[Any, ...], path: Path, notes: Notes) -> Any:
    for choice in choices:
        if str(choice) == node.value:
            return choice
    fix = suggest(node.value, [str(choice) for choice in choices])
    return notes.problem(path, f"{_shown(node.value)} is not one of the choices", fix)


# --- collections --------------------------------------------------------------------------


def _union(node: yaml.Node, kind: Any, path: Path, notes: Notes) -> Any:
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    if isinstance(node, yaml.ScalarNode) and _plain(node) and node.value in ("", "null", "~"):
        return None if len(members) < len(typing.get_args(kind)) else build(node, members[0], path, notes)
    fitting = [member for member in members if _node_type(member) is type(node)]
    return build(node, (fitting or members)[0], path, notes)


def _node_type(kind: Any) -> type:
    kind, _ = unwrap(kind)
    if typing.get_origin(kind) is tuple:
        return yaml.SequenceNode
    if typing.get_origin(kind) is dict or is_struct(kind):
        return yaml.MappingNode
    return yaml.ScalarNode


def _sequence(node: yaml.Node, kind: Any, path: Path, notes: Notes) -> Any:
    if not isinstance(node, yaml.SequenceNode):
        return notes.problem(path, f"this is a {_kind_of(node)}", "write a list, each entry after a -")
    values = []
    for index, child in enumerate(node.value):
        here = (*path, index)
        notes.places[here] = (notes.places[path][0], child.start_mark.line + 1)
        value = build(child, kind, here, notes)
        values.append(neutral(kind) if value is BROKEN else value)
    # One entry without any stand-in (a step that is nothing) makes the list as a whole unusable.
    return BROKEN if BROKEN in values else tuple(values)


def _mapping(node: yaml.Node, key_kind: Any, kind: Any, path: Path, notes: Notes) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return notes.problem(
            path, f"this is a {_kind_of(node)}", "write a mapping, each entry as name: value"
        )
    values = {}
    for key, key_node, child in _entries(node, path, notes):
        here = (*path, key)
        if build(key_node, key_kind, here, notes) is BROKEN:
            continue
        value = build_entry(key, child, kind, here, notes)
        if value is not BROKEN:
            values[key] = value
    return values


def build_entry(key: str, node: yaml.Node, kind: Any, path: Path, notes: Notes) -> Any:
    """A mapping's value; its key is its name, where it has one. A stand-in where it is broken."""
    if keyed_by_name(unwrap(kind)[0]):
        value = _struct(node, kind, path, notes, name=key)
    else:
        value = build(node, kind, path, notes)
    return neutral(kind, name=key) if value is BROKEN else value


def _entries(node: yaml.MappingNode, path: Path, notes: Notes) -> list[tuple[str, yaml.Node, yaml.Node]]:
    """A mapping's entries, once each, with the places of their keys noted."""
    seen: dict[str, int] = {}
    entries = []
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if key is None or key_node.tag == "tag:yaml.org,2002:merge":
            notes.problem(path, "this key is not a plain name", "write name: value", line)
        elif key in seen:
            notes.problem((*path, key), f"{key!r} is already on line {seen[key]}", "keep one", line)
        else:
            seen[key] = line
            notes.places[(*path, key)] = (notes.places[path][0], line)
            entries.append((key, key_node, child))
    return entries


@cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """A model's fields by name; msgspec reads its annotations anew at every call."""
    return {field.name: field for field in msgspec.structs.fields(kind)}


def _struct(node: yaml.Node, kind: type[msgspec.Struct], path: Path, notes: Notes, name: str = "") -> Any:
    fields = {name_: field for name_, field in _fields(kind).items() if not (name and name_ == "name")}
    if not isinstance(node, yaml.MappingNode):
        return notes.problem(
            path, f"this is a {_kind_of(node)}", f"write a mapping with {', '.join(_required(fields))}"
        )
    values = {"name": name} if name else {}
    for key, _, child in _entries(node, path, notes):
        here = (*path, key)
        if key in fields:
            values[key] = build(child, fields[key].type, here, notes)
        elif name and key == "name":
            notes.problem(here, "the name is already the key above", "remove this line")
        else:
            notes.problem(here, f"there is no field {key!r}", suggest(key, fields))
    for missing in [field for field in _required(fields) if field not in values]:
        notes.problem(
            (*path, missing), "this field is missing", f"add {missing}: {_example(fields[missing].type)}"
        )
        values[missing] = BROKEN
    whole = {key: stand_in(fields[key]) if value is BROKEN else value for key, value in values.items()}
    if BROKEN in whole.values():
        return BROKEN
    try:
        return kind(**whole)
    except ValueError as error:
        if BROKEN in values.values():  # What the struct says of a stand-in is nobody's mistake.
            return BROKEN
        # A struct may say "field: what; fix".
        field, colon, rest = str(error).partition(": ")
        here, text = ((*path, field), rest) if colon and field in fields else (path, str(error))
        what, _, fix = text.partition("; ")
        notes.problem(here, what, fix or "write another value")
        return BROKEN


def _required(fields: dict[str, Any]) -> list[str]:
    return [name for name, field in fields.items() if field.required]


# --- words --------------------------------------------------------------------------------


def wanted(kind: Any) -> str:
    """What a scalar type wants, as the end of "write ..."."""
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    return _SCALARS[kind][1]


def _example(kind: Any) -> str:
    """What to write for a field that is missing."""
    inner, metas = unwrap(kind)
    if _node_type(inner) is yaml.SequenceNode:
        return "with a list"
    if _node_type(inner) is yaml.MappingNode:
        return "with a mapping"
    return f"and {fix_of(metas) or 'write ' + wanted(inner)}"


def _kind_of(node: yaml.Node) -> str:
    return {yaml.ScalarNode: "single value", yaml.SequenceNode: "list"}.get(type(node), "mapping")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
