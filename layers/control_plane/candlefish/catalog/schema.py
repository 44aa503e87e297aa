"""JSON Schema for editors and the field reference of docs/catalog.md, both derived from the models.

What a field means is the comment above it in `catalog.model`. Build time only.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from typing import Any, Literal

import msgspec

from candlefish.catalog.kinds import fix_of, is_struct, is_union, keyed_by_name, unwrap
from candlefish.catalog.load import FOLDERS
from candlefish.catalog.model import Catalog, Duration, StrategyStep
from candlefish.catalog.shape import wanted

_DRAFT = "http://json-schema.org/draft-07/schema#"  # The newest that yaml-language-server knows whole.
_DURATION = r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?$"
# What a struct's own check says, in JSON Schema's words.
_EXTRA: dict[type, dict[str, Any]] = {StrategyStep: {"minProperties": 1, "maxProperties": 1}}
_SCALARS = {str: ["string", "number", "boolean"], int: "integer", float: "number", bool: "boolean"}
# Fields that the loader writes.
COMPUTED = frozenset({"known_until"})


def schemas() -> dict[str, dict[str, Any]]:
    """A schema for every file of the catalog, by the field's name; a folder's is that of one file in it."""
    return {field.name: _file_schema(field) for field in msgspec.structs.fields(Catalog)}


def _file_schema(field: Any) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    kind = field.type
    if field.name in FOLDERS:
        _, kind = typing.get_args(kind)
        body = _schema(kind, definitions, keyed=True)
    else:
        body = _schema(kind, definitions)
    return {"$schema": _DRAFT, "title": f"Candlefish {field.name}", **body, "definitions": definitions}


def _schema(kind: Any, definitions: dict[str, Any], keyed: bool = False) -> dict[str, Any]:
    kind, metas = unwrap(kind)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if is_union(kind):
        options = [_schema(member, definitions) for member in args if member is not type(None)]
        return {"anyOf": [*options, {"type": "null"}] if type(None) in args else options}
    if is_struct(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # Holds the place while the fields are described.
            definitions[kind.__name__] = _struct(kind, definitions, keyed)
        return {"$ref": f"#/definitions/{kind.__name__}"}
    if origin is tuple:
        return {"type": "array", "items": _schema(args[0], definitions)}
    if origin is dict:
        value = _schema(args[1], definitions, keyed=keyed_by_name(args[1]))
        names = _schema(args[0], definitions)
        return {"type": "object", "propertyNames": {**names, "type": "string"}, "additionalProperties": value}
    if origin is Literal:
        return {"enum": list(args)}
    if kind is Duration:
        return {"type": "string", "pattern": _DURATION}
    return _scalar(kind, metas)


def _scalar(kind: type, metas: tuple[Any, ...]) -> dict[str, Any]:
    body: dict[str, Any] = {"type": _SCALARS[kind]}
    for meta in metas:
        pattern = (meta.extra or {}).get("pattern")
        if pattern is not None:
            # Text that looks like a number may be written without quotes only where that is how it is usual.
            body["type"] = ["string", "number"] if re.fullmatch(pattern, "1") else "string"
            body["pattern"] = f"^(?:{pattern})$"
        body.update({word: bound for word, bound in _bounds(meta) if bound is not None})
        body["description"] = fix_of(metas)
    return body


def _bounds(meta: Any) -> Iterator[tuple[str, float | None]]:
    words = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
    return ((word, getattr(meta, name)) for name, word in words.items())


def _fields(kind: type[msgspec.Struct], keyed: bool) -> list[Any]:
    """The fields that people write: not those the loader computes, nor the name that is the key already."""
    left_out = COMPUTED | {"name"} if keyed else COMPUTED
    return [field for field in msgspec.structs.fields(kind) if field.name not in left_out]


def _struct(kind: type[msgspec.Struct], definitions: dict[str, Any], keyed: bool) -> dict[str, Any]:
    fields = _fields(kind, keyed)
    properties = {}
    for field in fields:
        body = _schema(field.type, definitions)
        meaning = meaning_of(kind, field.name) or body.get("description", "")
        if "$ref" in body:  # Draft 7 ignores what stands beside a $ref.
            body = {"allOf": [body]}
        properties[field.name] = {**body, **({"description": meaning} if meaning else {})}
    return {
        "type": "object",
        "description": summary(kind),
        "properties": properties,
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
        **_EXTRA.get(kind, {}),
    }


# --- what fields mean ---------------------------------------------------------------------


@cache
def _meanings(kind: type) -> dict[str, str]:
    """The comment above each field of a model, from its source."""
    source = textwrap.dedent(inspect.getsource(kind))
    lines = [line.strip() for line in source.splitlines()]
    (body,) = ast.parse(source).body
    meanings = {}
    for statement in body.body if isinstance(body, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            above = takewhile(lambda line: line.startswith("#"), reversed(lines[: statement.lineno - 1]))
            comment = [line.removeprefix("#").strip() for line in above]
            meanings[statement.target.id] = " ".join(reversed(comment))
    return meanings


def meaning_of(kind: type, field: str) -> str:
    """What a field means; empty when its model does not say."""
    return _meanings(kind).get(field, "")


def summary(kind: type) -> str:
    """A model's docstring in one line."""
    return " ".join((kind.__doc__ or "").split())


# --- the reference in docs/catalog.md -----------------------------------------------------

BEGIN, END = "<!-- fields: written by `candlefish catalog schema` -->", "<!-- end of fields -->"


def with_reference(document: str) -> str:
    """The document with its field reference, between two markers, made anew."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def reference() -> str:
    """A table of fields for every model that the catalog is made of, in the order they are first used."""
    return "\n".join(_section(kind, keyed) for kind, keyed in models().items())


def models() -> dict[type[msgspec.Struct], bool]:
    """Every model that can stand in a catalog file, and whether its name is the key it stands under."""
    found: dict[type[msgspec.Struct], bool] = {}

    def visit(kind: Any, keyed: bool = False) -> None:
        kind, _ = unwrap(kind)
        if is_struct(kind) and kind not in found:
            found[kind] = keyed
            for field in msgspec.structs.fields(kind):
                visit(field.type)
        if typing.get_origin(kind) is not Literal:
            for argument in typing.get_args(kind):
                visit(argument, typing.get_origin(kind) is dict and keyed_by_name(argument))

    for field in msgspec.structs.fields(Catalog):
        visit(field.type)
    return found


def _section(kind: type[msgspec.Struct], keyed: bool) -> str:
    head = "| field | written as | default | meaning |\n|---|---|---|---|\n"
    return f"### {kind.__name__}\n\n{summary(kind)}\n\n{head}" + "\n".join(_rows(kind, keyed)) + "\n"


def _rows(kind: type[msgspec.Struct], keyed: bool) -> Iterator[str]:
    for field in _fields(kind, keyed):
        default = "required"
        if not field.required:
            with_factory = field.default is msgspec.NODEFAULT
            default = _written(field.default_factory() if with_factory else field.default)
        cells = (f"`{field.name}`", words(field.type), default, meaning_of(kind, field.name))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _written(value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        return "its own defaults"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or value == "" or (isinstance(value, (tuple, dict)) and not value):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(_written, value))
    return f"`{value}`"


def words(kind: Any) -> str:
    """How a value of a type is written, in words."""
    kind, metas = unwrap(kind)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if is_union(kind):
        return " or ".join(words(member) for member in args if member is not type(None))
    if is_struct(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if origin is tuple:
        return f"list of {words(args[0])}"
    if origin is dict:
        key = (
            "names" if keyed_by_name(args[1]) or typing.get_origin(args[0]) is not Literal else words(args[0])
        )
        return f"{key}, each with {words(args[1])}"
    if kind is Duration:
        return "a duration"
    return fix_of(metas).removeprefix("write ") or wanted(kind)
