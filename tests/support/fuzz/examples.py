"""An example of what a type takes, from its fields: where no sample is at hand, that is what is changed."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, Union

import msgspec

TEXTS = ("backend-api", "r1", "database/main", "s3://bucket/key", "2026-11-29T10:00:00Z", "", "1764400000000")


def example(kind: Any) -> Any:
    """A value that `msgspec.convert` takes as `kind`, as JSON would have it."""
    plain = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
    origin, arguments = typing.get_origin(plain), typing.get_args(plain)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        hints = typing.get_type_hints(plain, include_extras=True)
        return {field.encode_name: example(hints[field.name]) for field in msgspec.structs.fields(plain)}
    if origin in (Union, types.UnionType):
        return example(next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return arguments[0]
    if origin is dict:
        return {example(arguments[0]): example(arguments[1])}
    if origin is tuple and Ellipsis not in arguments:
        return [example(each) for each in arguments]
    if origin in (list, tuple):
        return [example(arguments[0])]
    if plain is Any:
        return {"some": ["thing", 1]}
    if plain is str:
        return next(text for text in TEXTS if takes(kind, text))
    return {int: 1, float: 1.5, bool: True, bytes: "", type(None): None}[plain]


def takes(kind: Any, value: Any) -> bool:
    """Whether a type takes a value."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
