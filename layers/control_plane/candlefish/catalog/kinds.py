"""What types say about themselves: constraints, names, and values that stand in for broken ones."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, Union

import msgspec

# Stands for a value that could not be read; its problem is noted.
BROKEN: Any = object()


def is_struct(kind: Any) -> bool:
    """Whether a type is one of the models."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def is_union(kind: Any) -> bool:
    """Whether a type is one of several (`X | None`)."""
    return typing.get_origin(kind) in (Union, types.UnionType)


def keyed_by_name(kind: Any) -> bool:
    """Whether a mapping's keys are the `name` of its values."""
    return is_struct(kind) and "name" in kind.__struct_fields__


def unwrap(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without its constraints, and the constraints."""
    if typing.get_origin(kind) is typing.Annotated:
        inner, *metas = typing.get_args(kind)
        return inner, tuple(metas)
    return kind, ()


def fix_of(metas: tuple[Any, ...]) -> str:
    """What constraints tell somebody to write; empty when they say nothing."""
    return next((meta.extra["fix"] for meta in metas if meta.extra and "fix" in meta.extra), "")


def stand_in(field: Any) -> Any:
    """A value for a field that was broken or left out: its default, or a neutral one."""
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return neutral(field.type)


def neutral(kind: Any, name: str = "") -> Any:
    """A value of a type that stands for one that was broken, or BROKEN where there is none."""
    kind, _ = unwrap(kind)
    origin = typing.get_origin(kind)
    if is_union(kind):
        members = typing.get_args(kind)
        return None if type(None) in members else neutral(members[0])
    if origin is Literal:
        return typing.get_args(kind)[0]
    if is_struct(kind):
        values = {field.name: stand_in(field) for field in msgspec.structs.fields(kind)}
        if name and "name" in values:
            values["name"] = name
        try:
            return kind(**values)
        except ValueError:
            return BROKEN
    return (origin or kind)()
