"""The expressions that machines consist of, without the evaluator: fields, comparisons with a text, objects and merges.

A short cut finds what JSONata finds, or says that it cannot tell; then the evaluator is asked. That both
find the same is held by a test with every kind of value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

# Nothing is there; and what only the evaluator can tell.
MISSING, UNCLEAR = object(), object()
_TOKEN = re.compile(
    r"\s*(?:(?P<path>\$[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|'(?P<text>[^'\\]*)'|(?P<mark>[{}\[\]():,=]))\s*",
    re.ASCII,
)
_WORDS = {"and", "or", "in", "true", "false", "null", "function"}


class Seen(Protocol):
    """What expressions see."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """By their names without `$`."""

    def states(self) -> dict[str, Any]:
        """`$states`."""


Find = Callable[[Seen], Any]


class _TooLong(Exception):
    """No short cut for this."""


def short_cut(expression: str) -> Find | None:
    """What finds the expression's value, or MISSING, or UNCLEAR; None when there is no short cut.

    Values are shared with what they were found in: nobody may change them.
    """
    tokens, at = [], 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            return None
        tokens.append((str(token.lastgroup), str(token[str(token.lastgroup)])))
        at = token.end()
    tokens.reverse()
    try:
        find = _value(tokens)
        if tokens and tokens.pop() == ("mark", "="):
            find = _equal(find, _taken(tokens, "text"))
        if tokens:
            return None
    except _TooLong:
        return None
    return find


def _taken(tokens: list[tuple[str, str]], kind: str, mark: str | None = None) -> str:
    """The next token, which must be one of that kind."""
    if not tokens or tokens[-1][0] != kind or mark not in (None, tokens[-1][1]):
        raise _TooLong
    return tokens.pop()[1]


def _listed(tokens: list[tuple[str, str]], end: str, item: Callable[[], None]) -> None:
    """Items between commas, up to the closing mark."""
    if tokens and tokens[-1] == ("mark", end):
        tokens.pop()
        return
    item()
    while tokens and tokens[-1] == ("mark", ","):
        tokens.pop()
        item()
    _taken(tokens, "mark", end)


def _value(tokens: list[tuple[str, str]]) -> Find:
    if not tokens:
        raise _TooLong
    kind, text = tokens.pop()
    if kind == "text":
        return lambda seen: text
    if (kind, text) == ("mark", "{"):
        return _object(tokens)
    if (kind, text) == ("path", "$merge"):
        return _merge(tokens)
    names = text[1:].split(".")
    if kind != "path" or _WORDS.intersection(names) or (tokens and tokens[-1] == ("mark", "(")):
        raise _TooLong
    if tokens and tokens[-1][1] == "[":
        raise _TooLong
    return _path(names[0], names[1:])


def _path(first: str, fields: list[str]) -> Find:
    def find(seen: Seen) -> Any:
        value = seen.states() if first == "states" else seen.variables.get(first, MISSING)
        for name in fields:
            if type(value) is dict:
                value = value.get(name, MISSING)
            elif type(value) is list:
                # A path goes through every item of an array.
                return UNCLEAR
            else:
                return MISSING
        return value

    return find


def _equal(find: Find, text: str) -> Find:
    def equal(seen: Seen) -> Any:
        value = find(seen)
        return UNCLEAR if value is UNCLEAR else value == text

    return equal


def _object(tokens: list[tuple[str, str]]) -> Find:
    fields: dict[str, Find] = {}

    def field() -> None:
        name = _taken(tokens, "text")
        _taken(tokens, "mark", ":")
        if name in fields:
            raise _TooLong
        fields[name] = _value(tokens)

    _listed(tokens, "}", field)
    known = list(fields.items())

    def find(seen: Seen) -> Any:
        made = {}
        for name, each in known:
            value = each(seen)
            if value is UNCLEAR:
                return UNCLEAR
            # A field of nothing is not there.
            if value is not MISSING:
                made[name] = value
        return made

    return find


def _merge(tokens: list[tuple[str, str]]) -> Find:
    parts: list[Find] = []
    _taken(tokens, "mark", "(")
    _taken(tokens, "mark", "[")
    _listed(tokens, "]", lambda: parts.append(_value(tokens)))
    _taken(tokens, "mark", ")")

    def find(seen: Seen) -> Any:
        made: dict[str, Any] = {}
        for part in parts:
            value = part(seen)
            if type(value) is not dict:
                return UNCLEAR
            made |= value
        return made

    return find
